"""What monty lacks of Python, as one table.

Each row names one thing that CPython does and the installed monty does not, or does differently.
`lacking.py` finds a row's use in a program; the tests run every row's sample on both engines, so
a release of monty that fills a gap (or opens one) fails with the id of the row to change.
Names of modules, builtins, methods and keywords stand in `monty_names.py`, modules that may
move a program to cpython in `module_lists.py`; both are to be read as part of this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from doublevm.module_lists import (
    HARMLESS_MODULES,
    MONTY_ONLY_MODULES,
    REFUSED_ATTRIBUTES,
    REFUSED_BUILTINS,
    REFUSED_MODULES,
)

__all__ = [
    "GAPS",
    "HARMLESS_MODULES",
    "MONTY_ONLY_MODULES",
    "REFUSED_ATTRIBUTES",
    "REFUSED_BUILTINS",
    "REFUSED_MODULES",
    "TOLERATED",
    "Gap",
    "gap",
]

Kind = Literal["syntax", "class", "lazy", "value", "call", "exception", "tool"]


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that CPython has and monty lacks."""

    id: str
    """Stable, unique, lower case with dashes."""
    kind: Kind
    """The family of the gap."""
    what: str
    """What a message calls it."""
    sample: str
    """A program that works on CPython and fails, or answers differently, on monty."""
    since: tuple[int, int] = (3, 11)
    """The first CPython that understands the sample."""


_SYNTAX: Final = (
    Gap("class-inheritance", "syntax", "class inheritance", "class A: pass\nclass B(A): pass"),
    Gap("class-keyword", "syntax", "class keywords (metaclass)", "class A(metaclass=type): pass"),
    Gap(
        "class-body",
        "syntax",
        "a class body with more than methods and simple variables",
        "class A:\n    if True:\n        x = 1\nA.x",
    ),
    Gap(
        "class-target",
        "syntax",
        "a class variable with more than one simple target",
        "class A:\n    x, y = 1, 2\nA.y",
    ),
    Gap(
        "method-decorator",
        "syntax",
        "method decorators",
        "class A:\n    @property\n    def x(self): return 1\nA().x",
    ),
    Gap("del", "syntax", "the del statement", "d = {1: 2}\ndel d[1]\nd"),
    Gap("yield", "syntax", "yield", "def g():\n    yield 1\nlist(g())"),
    Gap("yield-from", "syntax", "yield from", "def g():\n    yield from [1]\nlist(g())"),
    Gap(
        "async-for",
        "syntax",
        "async for",
        "class A:\n"
        "    def __init__(self): self.n = 0\n"
        "    def __aiter__(self): return self\n"
        "    async def __anext__(self):\n"
        "        self.n += 1\n"
        "        if self.n > 1: raise StopAsyncIteration\n"
        "        return self.n\n"
        "async def f():\n    async for x in A(): return x\nawait f()",
    ),
    Gap(
        "async-with",
        "syntax",
        "async with",
        "class A:\n"
        "    async def __aenter__(self): return 1\n"
        "    async def __aexit__(self, *a): return None\n"
        "async def f():\n    async with A() as x: return x\nawait f()",
    ),
    Gap(
        "async-comprehension",
        "syntax",
        "async comprehensions",
        "async def f(): return 1\n"
        "async def g(): return [x async for x in (await f() for i in range(2))]\nawait g()",
    ),
    Gap(
        "except-star",
        "syntax",
        "except*",
        "try: raise ValueError('a')\nexcept* ValueError: r = 1\nr",
    ),
    Gap("type-alias", "syntax", "the type statement", "type Number = int\n1", since=(3, 12)),
    Gap("star-import", "syntax", "from … import *", "from math import *\nsqrt(4)"),
)

_CLASS: Final = (
    Gap(
        "special-method",
        "class",
        "special methods other than the common ones",
        "class A:\n    def __len__(self): return 3\nlen(A())",
    ),
    Gap(
        "getitem-iteration",
        "class",
        "iteration by __getitem__ alone",
        "class A:\n    def __getitem__(self, k): return 'ab'[k]\nlist(A())",
    ),
    Gap("dunder-attribute", "class", "special attributes", "def f(): pass\nf.__name__"),
    Gap("dunder-name", "class", "special names of a module", "'''about'''\n__doc__"),
    Gap(
        "function-attribute",
        "class",
        "attributes on functions",
        "def f(): pass\nf.count = 1\nf.count",
    ),
)

_LAZY: Final = (
    Gap(
        "lazy-value",
        "lazy",
        "a lazy iterator kept as a value",
        "g = (x for x in [1, 2])\n[list(g), list(g)]",
    ),
    Gap("lazy-next", "lazy", "next() on a lazy iterator", "next(x for x in [1, 2])"),
    Gap(
        "lazy-effects",
        "lazy",
        "a lazy iterator with effects",
        "def f(x):\n    print(x)\n    return x\nany(f(x) for x in [1, 2])",
    ),
    Gap(
        "lazy-endless",
        "lazy",
        "a lazy iterator over an endless one",
        # Bounded, so that the sample ends on monty as well; `count()` itself would not.
        "import itertools\nn = 0\n"
        "for i, x in enumerate(itertools.repeat(1, 9)):\n"
        "    if i == 0: n = 'x'\n"
        "type(enumerate(itertools.repeat(1, 9))).__name__",
    ),
)

_VALUE: Final = (
    Gap("method-value", "value", "a method used as a value", "d = {'a': 1}\nmax(d, key=d.get)"),
    Gap("type-method", "value", "a method taken from its type", "list(map(str.upper, ['a']))"),
    Gap("computed-attribute", "value", "getattr of a method", "getattr('a', 'upper')()"),
    Gap(
        "typing-subscript",
        "value",
        "a typing form used at run time",
        "from typing import Dict\nRows = Dict[str, int]\n1",
    ),
    Gap(
        "type-comparison",
        "value",
        "type() compared with an exception class",
        "try: 1 / 0\nexcept Exception as e: r = type(e) is ZeroDivisionError\nr",
    ),
    Gap(
        "inplace-set",
        "value",
        "a set changed in place by an operator",
        "def add(s): s |= {2}\nseen = {1}\nadd(seen)\nsorted(seen)",
    ),
    Gap("inplace-repeat", "value", "a list repeated in place", "a = [1]\nb = a\na *= 2\nb"),
    Gap("list-iadd", "value", "a list extended by += with no list", "x = [1]\nx += (2,)\nx"),
)

_CALL: Final = (
    Gap("keyword", "call", "keyword arguments", "import json\njson.dumps({1}, default=list)"),
    Gap("bytes-values", "call", "bytes() of numbers", "bytes([1, 2])"),
    Gap("encoding", "call", "text encodings other than UTF and ASCII", "'é'.encode('latin-1')"),
    Gap("isinstance-type", "call", "isinstance(…, type)", "isinstance(int, type)"),
    Gap("object-call", "call", "object() and property()", "object() is not None"),
    Gap("pow-inverse", "call", "pow() with a negative exponent and a modulus", "pow(3, -1, 7)"),
    Gap(
        "print-file",
        "call",
        "print() to an object",
        "class W:\n    def __init__(self): self.o = []\n"
        "    def write(self, t): self.o.append(t)\n"
        "w = W()\nprint('a', file=w)\nw.o",
    ),
    Gap("set-arguments", "call", "set methods with several arguments", "len({1}.union([2], [3]))"),
    Gap(
        "strptime-format",
        "call",
        "strptime without a whole date, or with hours but no minutes",
        "from datetime import datetime\ndatetime.strptime('10:20', '%H:%M').hour",
    ),
    Gap(
        "timedelta-float",
        "call",
        "timedelta with fractions",
        "from datetime import timedelta\ntimedelta(days=1.5).total_seconds()",
    ),
    Gap(
        "re-callable",
        "call",
        "re.sub with a function",
        "import re\nre.sub('a', lambda m: 'b', 'a')",
    ),
    Gap(
        "re-escape",
        "call",
        "escapes in the replacement of re.sub",
        "import re\nre.sub('a', r'\\n', 'a')",
    ),
    Gap("re-bytes", "call", "regular expressions over bytes", "import re\nre.findall(b'a', b'a')"),
    Gap(
        "re-position",
        "call",
        "a start position for a compiled pattern",
        "import re\nre.compile('a').search('ba', 1).start()",
    ),
    Gap(
        "re-group-name",
        "call",
        "the span of a group by its name",
        "import re\nre.match('(?P<x>a)', 'a').start('x')",
    ),
    Gap(
        "re-default",
        "call",
        "Match.groups with a default",
        "import re\nre.match('(a)|(b)', 'a').groups('-')",
    ),
)

_EXCEPTION: Final = (
    Gap(
        "exception-arguments",
        "exception",
        "an exception built from anything but one string",
        "try: raise ValueError(1)\nexcept ValueError as e: r = e.args\nr",
    ),
    Gap(
        "exception-attribute",
        "exception",
        "attributes of an exception other than args",
        "try: raise OSError('x')\nexcept OSError as e: r = e.errno\nr",
    ),
)

_TOOL: Final = (
    Gap(
        "tool-callback",
        "tool",
        "a tool called from a builtin's callback",
        "sorted([2, 1], key=lambda x: lookup(x))",
    ),
    Gap(
        "tool-special-method",
        "tool",
        "a tool called from a special method",
        "class A:\n    def __eq__(self, other): return lookup(1) == 1\nA() == 1",
    ),
)

GAPS: Final = (*_SYNTAX, *_CLASS, *_LAZY, *_VALUE, *_CALL, *_EXCEPTION, *_TOOL)
"""The rows that move a program off monty."""

_BY_ID: Final = {row.id: row for row in GAPS}


def gap(row_id: str) -> str:
    """Say what the row of this id is called in a message."""
    return _BY_ID[row_id].what


TOLERATED: Final = (
    Gap(
        "round-half", "value", "round() of a decimal half that binary cannot hold", "round(0.15, 1)"
    ),
    Gap(
        "key-error-text",
        "exception",
        "the text of a KeyError for a key that is no string",
        "try: {}[3]\nexcept KeyError as e: r = str(e)\nr",
    ),
    Gap(
        "equal-keys",
        "value",
        "a dict literal with equal keys of several types",
        "{1: 'a', True: 'b'}",
    ),
    Gap(
        "eager-errors",
        "lazy",
        "an error in the middle of a lazy iterator comes before its first value",
        "r = []\ntry:\n    for x in map(int, ['1', 'x']): r.append(x)\nexcept ValueError: pass\nr",
    ),
    Gap(
        "annotation-names",
        "value",
        "names in annotations are not looked up",
        "def f(a: Unknown): return 1\nf(1)",
    ),
    Gap(
        "re-empty-match",
        "call",
        "empty matches next to others",
        "import re\nre.sub('x*', '-', 'axb')",
    ),
    Gap(
        "compact-iso-date",
        "call",
        "dates in ISO format without separators",
        "from datetime import date\ndate.fromisoformat('20240105')",
    ),
    Gap(
        "last-digit",
        "call",
        "the last digit of some mathematical functions",
        "import math\nmath.cbrt(27)",
    ),
    Gap("float-sum", "call", "sum() of floats adds plainly", "sum([0.1] * 10)", since=(3, 12)),
    Gap("none-format", "value", "None and containers take a width in f-strings", "f'{None:>5}'"),
)
"""Differences that `auto` does not move a program for.

They are rare, or cannot be told from the program's text, and moving every program that rounds a
number or catches a KeyError would leave monty to toys. The documentation names them.
"""
