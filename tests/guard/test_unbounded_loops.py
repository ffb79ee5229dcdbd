"""Unbounded loops: nothing in them ends them."""

from __future__ import annotations

import pytest

from tests.guard.asking import asked

PASSES = [
    "while x: pass",
    "while False: pass",
    "while True:\n    if f(): break",
    "while True:\n    for x in y:\n        pass\n    else:\n        break",
    "def f():\n    while True:\n        return 1",
    "def f():\n    while 1:\n        for x in y:\n            return x",
    "while True:\n    raise StopIteration",
    "def count():\n    n = 0\n    while True:\n        yield n\n        n += 1",
    "def f():\n    while True:\n        yield from g()",
    "while True:\n    if f(): exit()",
    "import sys\nwhile True:\n    if f(): sys.exit(1)",
    "try:\n    while True:\n        s.pop()\nexcept IndexError:\n    pass",
    "try:\n    if 1:\n        while True: next(i)\nexcept StopIteration: pass",
    "import itertools\nfor i in itertools.count():\n    if i > 3: break",
    "import itertools\nfor i in itertools.repeat(1, 5): pass",
    "from itertools import cycle\ndef f():\n    for i in cycle('ab'): return i",
    "for i in range(10**9): pass",
    "for x in count(): pass",
    "while (x := f()): pass",
]

FINDS = [
    ("while True: pass", 1, 1),
    ("x = 1\nwhile 1:\n    x += 1", 2, 1),
    ("while True:\n    for x in y:\n        break", 1, 1),
    ("while True:\n    while x:\n        if y: break", 1, 1),
    ("while True:\n    def f():\n        return 1", 1, 1),
    ("while True:\n    g = lambda: (yield)", 1, 1),
    ("if x:\n    while 'on':\n        print(1)", 2, 5),
    ("while True:\n    try:\n        f()\n    except Exception:\n        pass", 1, 1),
    ("try:\n    while True: pass\nfinally:\n    pass", 2, 5),
    ("try:\n    def f():\n        while True: pass\nexcept E: pass", 3, 9),
    ("def exit(): pass\nwhile True: exit()", 2, 1),
    ("import itertools\nfor i in itertools.count(): pass", 2, 1),
    ("from itertools import cycle as c, repeat\nfor i in c('ab'): print(i)", 2, 1),
    ("from itertools import repeat\nfor i in repeat(1): print(i)", 2, 1),
    ("async def f():\n    while True:\n        await g()", 2, 5),
]


@pytest.mark.parametrize("program", PASSES)
def test_passes(program: str) -> None:
    assert asked("unbounded_loops", program) == []


@pytest.mark.parametrize(("program", "line", "column"), FINDS)
def test_finds(program: str, line: int, column: int) -> None:
    assert asked("unbounded_loops", program) == [
        (
            line,
            column,
            "nothing in this loop ends it",
            "end it with break or return, or loop over range(...)",
        )
    ]
