"""Computed names: what they reach cannot be read."""

from __future__ import annotations

import pytest

from tests.guard.asking import Found, asked

PASSES = [
    "getattr(x, 'name')",
    "getattr(x, 'name', None)",
    "setattr(x, 'name', value)",
    "hasattr(x, name)",
    "def getattr(a, b): pass\ngetattr(x, n)",
    "import operator\nsorted(rows, key=operator.attrgetter('a', 'b'))",
    "from operator import itemgetter, methodcaller\nitemgetter(n); methodcaller('f', n)",
    "attrgetter(n)",
    "self.vars(1)",
    "d[name]",
]

GIVES = "gives names that the program does not write out"
TAKES = "takes a name that is computed"
OUT = "write the name out, or use a dict"
DICT = "keep values by name in a dict"

FINDS: list[tuple[str, list[Found]]] = [
    ("x = 1\ny = getattr(x, n)", [(2, 5, f"'getattr' {TAKES}", OUT)]),
    ("getattr(x, 'a' + 'b')", [(1, 1, f"'getattr' {TAKES}", OUT)]),
    ("getattr(x, 5)", [(1, 1, f"'getattr' {TAKES}", OUT)]),
    ("getattr(*both)", [(1, 1, f"'getattr' {TAKES}", OUT)]),
    ("setattr(x, n, 1)", [(1, 1, f"'setattr' {TAKES}", OUT)]),
    ("[delattr(x, n) for n in ns]", [(1, 2, f"'delattr' {TAKES}", OUT)]),
    ("globals()['f']()", [(1, 1, f"'globals' {GIVES}", DICT)]),
    (
        "print(vars(x), locals())",
        [
            (1, 7, f"'vars' {GIVES}", DICT),
            (1, 16, f"'locals' {GIVES}", DICT),
        ],
    ),
    (
        "import operator as o\nk = o.attrgetter('a', n)",
        [(2, 5, f"'operator.attrgetter' {TAKES}", OUT)],
    ),
    (
        "from operator import methodcaller as m\nm(n, 1)",
        [(2, 1, f"'operator.methodcaller' {TAKES}", OUT)],
    ),
]


@pytest.mark.parametrize("program", PASSES)
def test_passes(program: str) -> None:
    assert asked("computed_names", program) == []


@pytest.mark.parametrize(("program", "expected"), FINDS)
def test_finds(program: str, expected: list[Found]) -> None:
    assert asked("computed_names", program) == expected
