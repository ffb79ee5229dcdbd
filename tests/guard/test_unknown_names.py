"""Unknown names: calls of what nothing defines; silent where a name may come from elsewhere."""

from __future__ import annotations

import sys

import pytest

from tests.guard.asking import Found, around, asked

TOOLS = around("list_users", "users:list", "users:get.one", "mail", inputs=frozenset(("on_row",)))

PASSES = [
    "list_users()",
    "users.list()",
    "users.get.one(1)",
    "users.get(1)",
    "call_tool('users:list')",
    "call_tool(name)",
    "mail.anything()",
    "on_row(1)",
    "len([print, ValueError('x')])",
    "f()\ndef f(): pass",
    "class A: pass\nA()",
    "import math\nfrom json import dumps as d\nmath.sqrt(d(1))",
    "for f in fs: f()",
    "[g() for g in gs]",
    "(h := abs)(1)",
    "def outer(callback, *args, key=None, **kw): callback(), key(), args(), kw()",
    "with a as b: b()",
    "try: pass\nexcept E as e: e()",
    "match x:\n    case [a, *b]: a(), b()\n    case {'k': c, **d}: c(), d()",
    "global g\ng()",
    "from math import *\nsqrt(4)",
    "exec('def f(): pass')\nf()",
    "globals()['f'] = 1\nf()",
    "import builtins\nf()",
    "__builtins__.f = 1\nf()",
    "try:\n    f()\nexcept NameError:\n    pass",
    "try:\n    if 1: f(g())\nexcept (KeyError, Exception):\n    pass",
    "try:\n    f()\nexcept:\n    pass",
    "try: f()\nexcept errors.Failure: pass",
    "x.unknown()",
    "unknown",
    "users = object()\nusers.anything()",
    "exit()",
    "def call_tool(n): pass\ncall_tool('x')",
]

FINDS: list[tuple[str, list[Found]]] = [
    ("x = 1\nlist_user()", [(2, 1, "nothing defines 'list_user'", "did you mean list_users?")]),
    ("é = 1; pirnt(é)", [(1, 8, "nothing defines 'pirnt'", "did you mean print?")]),
    (
        "def summarise(): pass\nsummarize()",
        [(2, 1, "nothing defines 'summarize'", "did you mean summarise?")],
    ),
    ("qqqq()", [(1, 1, "nothing defines 'qqqq'", "define it, or call one of the tools")]),
    (
        "users.lists()",
        [(1, 1, "there is no tool 'users.lists'", "did you mean users.list?")],
    ),
    ("users.zzzzzzzz(1)", [(1, 1, "there is no tool 'users.zzzzzzzz'", "define it, or call")]),
    (
        "call_tool('users:lst', {})",
        [(1, 1, "there is no tool 'users:lst'", "did you mean users:list?")],
    ),
    (
        "try:\n    zzz()\nexcept ValueError:\n    yyy()",
        [
            (2, 5, "nothing defines 'zzz'", "define it, or call one of the tools"),
            (4, 5, "nothing defines 'yyy'", "define it, or call one of the tools"),
        ],
    ),
]


@pytest.mark.parametrize("program", PASSES)
def test_passes(program: str) -> None:
    assert asked("unknown_names", program, TOOLS) == []


@pytest.mark.parametrize(("program", "expected"), FINDS)
def test_finds(program: str, expected: list[Found]) -> None:
    found = asked("unknown_names", program, TOOLS)
    assert [each[:3] for each in found] == [each[:3] for each in expected]
    assert all(a[3].startswith(b[3]) for a, b in zip(found, expected, strict=True))


def test_a_host_that_takes_every_name() -> None:
    taking = around("users:list", catch_all=True)
    assert asked("unknown_names", "call_tool('users:lst')", taking) == []
    assert asked("unknown_names", "lst()", taking), "it is reached by call_tool only"


def test_names_of_the_sessions_earlier_programs() -> None:
    assert asked("unknown_names", "f()", around(earlier=frozenset(("f",)))) == []
    assert asked("unknown_names", "f()", around(earlier=None)) == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="not in this version of Python")
@pytest.mark.parametrize("program", ["def f[T, *Ts, **P](x): T(), Ts(), P()", "type X = int\nX()"])
def test_names_of_newer_syntax(program: str) -> None:
    assert asked("unknown_names", program) == []
