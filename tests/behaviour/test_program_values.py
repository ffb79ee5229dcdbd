"""What a program's value is: its last expression, or a ``return`` outside of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ErrorCode
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Runs


def ten(n: int = 1) -> int:
    return n * 10


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    with opened(driver, engine=engine, tools=[ten]) as enclave, enclave.session() as session:
        yield session


EXPRESSIONS: list[tuple[str, Any]] = [
    ("1 + 1", 2),
    ("x = 1\nx + 1", 2),
    ("x = 1; x", 1),
    ("5  # five", 5),
    ("5;", 5),
    ("\r\n5\r\n", 5),
    ("'\\0'", "\0"),
    ("'é'\n'ü'", "ü"),
    ("'a' if ten() == 10 else 'b'", "a"),
    ("[n for n in range(3)]", [0, 1, 2]),
    ("(y := 5)", 5),
    ("def f(): return 3\nf()", 3),
    ("print('x')", None),
    ("async def f(): return 4\nawait f()", 4),
    ("ten(2)", 20),
    ("None", None),
]

NO_VALUE = [
    "",
    "# nothing",
    "\t",
    "pass",
    "x = 5",
    "def f(): return 5",
    "if True:\n    5",
    "for n in [1]: n",
    "x: int = 3",
    "import math",
    "assert True",
    "return",
    "return None",
    "if False:\n    return 1\nx = 42",
]

RETURNS: list[tuple[str, Any]] = [
    ("return 5", 5),
    ("return 1\n2", 1),
    ("return ten(2)", 20),
    ("x = 5\nreturn x\n\n", 5),
    ("x = 1\nif x:\n    return 'if'\n'no'", "if"),
    ("if False:\n    return 1\n42", 42),
    ("if True:\n    if True:\n        return 'deep'", "deep"),
    ("for n in range(5):\n    if n == 3:\n        return n\nelse:\n    return 'else'", 3),
    ("for n in []:\n    return n\nelse:\n    return 'else'", "else"),
    ("while True:\n    return 'while'", "while"),
    ("try:\n    return 1\nfinally:\n    print('finally')", 1),
    ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    return str(e)", "division by zero"),
    ("match [1, 2]:\n    case [1, *rest]:\n        return rest", [2]),
    ("match {'k': 1}:\n    case {'k': n}:\n        return n", 1),
    ("match 5:\n    case 5 as n:\n        return n", 5),
    ("for row in [ten(1), ten(2)]:\n    if row > 10: return row", 20),
    # Names mean what they mean without the return: functions see them, and change them.
    ("def f():\n    return seen\nseen = 7\nreturn f()", 7),
    ("total = 0\ndef add(n):\n    global total\n    total += n\nadd(3)\nreturn total", 3),
    ("x = 1\nreturn [x + n for n in range(3)]", [1, 2, 3]),
    ("x = 3\nreturn list(n * x for n in range(3))", [0, 3, 6]),
    ("x = 3\nf = lambda: x\nreturn f()", 3),
    ("x: int = 5\nreturn x", 5),
    ("x: int\nreturn 3", 3),
    ("a, *b = [1, 2, 3]\nreturn b", [2, 3]),
    ("[c, (d, e)] = [1, (2, 3)]\nreturn [c, d, e]", [1, 2, 3]),
    ("import math as m, json\nreturn json.dumps([m.pi > 3])", "[true]"),
    ("from math import floor as down\nreturn down(1.5)", 1),
    ("global z\nz = 5\nreturn z", 5),
    ("class A:\n    v = 3\nreturn A().v", 3),
    ("def f(a, b=2, *c, d=4, **e): return [a, b, c, d, e]\nreturn f(1)", [1, 2, (), 4, {}]),
    ("def outer():\n    def inner(): return 2\n    return inner()\nreturn outer()", 2),
    ("if (n := ten()) > 5:\n    return n", 10),
    # Of a coroutine as well.
    ("return await ten(1)", 10),
    ("async def f(): return 4\nreturn await f()", 4),
    ("x = await ten(1)\nif x:\n    return [x, await ten(2)]", [10, 20]),
    ("if False:\n    return 1\nawait ten(3)", 30),
]

RETURNS_ON_CPYTHON: list[tuple[str, Any]] = [
    ("import io\nwith io.StringIO() as f:\n    f.write('x')\n    return f.getvalue()", "x"),
    ("x = 1\ndel x\nreturn 'deleted'", "deleted"),
    ("def f():\n    yield 1\nfor n in f():\n    return n", 1),
    ("class A:\n    pass\nclass B(A):\n    def m(self): return A\nreturn B().m() is A", True),
    (
        "try:\n    raise ExceptionGroup('g', [KeyError()])\nexcept* KeyError:\n    r = 1\nreturn r",
        1,
    ),
    ("import collections.abc\nreturn collections.abc.__name__", "collections.abc"),
]


@pytest.mark.parametrize(("program", "value"), EXPRESSIONS)
def test_the_value_is_that_of_the_last_expression(guest: Runs, program: str, value: Any) -> None:
    assert guest.run(program).unwrap() == value


@pytest.mark.parametrize("program", NO_VALUE)
def test_anything_else_has_no_value(guest: Runs, program: str) -> None:
    result = guest.run(program)
    assert result.success
    assert result.value is None


@pytest.mark.parametrize(("program", "value"), RETURNS)
def test_a_return_outside_of_functions(guest: Runs, program: str, value: Any) -> None:
    assert guest.run(program).unwrap() == value


@pytest.fixture(scope="module")
def cpython_guest(driver: Driver) -> Iterator[Runs]:
    """Monty has neither ``with``-able modules nor del, yield, inheritance, except*."""
    with opened(driver, engine="cpython") as enclave, enclave.session() as session:
        yield session


@pytest.mark.parametrize(("program", "value"), RETURNS_ON_CPYTHON)
def test_a_return_beside_what_only_cpython_has(
    cpython_guest: Runs, program: str, value: Any
) -> None:
    assert cpython_guest.run(program).unwrap() == value


def test_what_was_printed_before_a_return_stays(guest: Runs) -> None:
    result = guest.run("print('a')\ntry:\n    return 1\nfinally:\n    print('b')")
    assert (result.value, result.stdout) == (1, "a\nb\n")


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("x = ", 1),
        ("1\ndef f(:\n    pass", 2),
        ("x = 1\n  y = 2", 2),
        ("'a", 1),
        ("f(n for n in [1], 2)", 1),
        ("break", 1),
        ("1\n2\nif True:\n    continue", 4),
        ("(" * 300 + ")" * 300, 1),
        ("x = [", 1),
    ],
)
def test_a_program_that_is_not_python_is_refused(guest: Runs, program: str, line: int) -> None:
    result = guest.run(program)
    assert result.error is not None
    assert (result.error.code, result.error.line) == (ErrorCode.VALIDATION_ERROR, line)
    assert result.error.type in ("SyntaxError", "IndentationError")
    assert result.error.message.startswith(f"{result.error.type}: ")
    assert result.value is None


def test_null_bytes_are_refused(guest: Runs) -> None:
    error = guest.run("'\0'").error
    assert error is not None
    assert error.code is ErrorCode.VALIDATION_ERROR
    assert "null bytes" in error.message


def test_an_empty_program_does_not_shift_the_next_ones(guest: Runs) -> None:
    """The engine knows awaited calls by their place, and places by the program's number."""
    assert guest.run("").success
    assert guest.run("await ten(2)").unwrap() == 20
