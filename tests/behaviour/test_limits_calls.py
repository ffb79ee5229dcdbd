"""Budgets: tool calls and denials of a run, and the depth of its recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from doublevm import ErrorCode, Limits
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Opens, Runs

ran: list[int] = []


def double(n: int) -> int:
    ran.append(n)
    return n * 2


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    limits = Limits(max_tool_calls=5, max_denied=8)
    options = {"engine": engine, "tools": [double], "limits": limits}
    with opened(driver, **options) as enclave, enclave.session() as session:
        yield session


def test_the_call_beyond_the_budget_is_denied(guest: Runs) -> None:
    ran.clear()
    result = guest.run("for n in range(9):\n    double(n)")
    assert result.error is not None
    assert result.error.code is ErrorCode.MAX_TOOL_CALLS
    assert result.error.verdict is not None
    assert result.error.verdict.address == "budget/max_tool_calls"
    assert ran == [0, 1, 2, 3, 4]
    assert (result.stats.tool_calls, result.stats.denied) == (5, 1)


def test_a_guest_may_catch_it_and_go_on(guest: Runs) -> None:
    ran.clear()
    program = (
        "done = []\n"
        "for n in range(7):\n"
        "    try:\n        done.append(double(n))\n"
        "    except PermissionError as e:\n        why = str(e)\n"
        "[done, why]"
    )
    done, why = guest.run(program).unwrap()
    assert done == [0, 2, 4, 6, 8]
    assert why == "double denied: the run has used up its 5 tool calls [budget/max_tool_calls]"
    assert ran == [0, 1, 2, 3, 4]


def test_just_the_budget_is_fine_in_every_run(guest: Runs) -> None:
    for _ in range(2):
        assert guest.run("[double(n) for n in range(5)]").unwrap() == [0, 2, 4, 6, 8]


def test_concurrent_calls_count_each(guest: Runs) -> None:
    ran.clear()
    result = guest.run("import asyncio\nawait asyncio.gather(*[double(n) for n in range(6)])")
    assert result.error is not None
    assert result.error.code is ErrorCode.MAX_TOOL_CALLS
    assert len(ran) <= 5


def test_denied_attempts_count_as_well(guest: Runs) -> None:
    program = (
        "for n in range(5):\n"
        "    try: double('x')\n    except TypeError: pass\n"
        "double(77)"
    )  # fmt: skip
    result = guest.run(program)
    assert result.error is not None
    assert result.error.code is ErrorCode.MAX_TOOL_CALLS
    assert 77 not in ran  # others may be: concurrent calls of the run before end when they end
    assert (result.stats.tool_calls, result.stats.denied) == (0, 6)


@pytest.mark.parametrize(
    "attempt",
    [
        "try: call_tool('no')\n    except PermissionError: pass",
        "try: double('x')\n    except TypeError: pass",
    ],
    ids=["unknown", "wrong type"],
)
def test_too_many_denials_end_the_run(open_enclave: Opens, attempt: str) -> None:
    enclave = open_enclave(tools=[double], limits=Limits(max_denied=8))
    result = enclave.run(f"while True:\n    {attempt}")
    assert result.error is not None
    assert result.error.code is ErrorCode.OPERATION_DENIED
    assert result.error.message == "the run was ended after 8 denied operations"
    assert result.stats.denied == 8
    assert [record.outcome for record in result.audit] == ["denied"] * 8
    assert enclave.run("double(2)").unwrap() == 4


def test_a_budget_of_none(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=[double], limits=Limits(max_tool_calls=0))
    error = enclave.run("double(1)").error
    assert error is not None
    assert error.code is ErrorCode.MAX_TOOL_CALLS
    assert enclave.run("1 + 1").unwrap() == 2


def test_the_levels_budget_where_none_is_given(open_enclave: Opens) -> None:
    with open_enclave(tools=[double], security_level="STRICT").session() as session:
        assert session.run("for n in range(10): double(n)").success
        error = session.run("for n in range(11): double(n)").error
    assert error is not None
    assert error.message.endswith("its 10 tool calls [budget/max_tool_calls]")


RECURSION: dict[str, str] = {
    "itself": "def f(n): return f(n + 1)\nf(0)",
    "each other": "def f(n): return g(n)\ndef g(n): return f(n)\nf(0)",
    "a method": "class A:\n    def m(self): return self.m()\nA().m()",
    "through sorted": "def key(n): return sorted([n], key=key)\nkey(1)",
    "a coroutine": "async def f(): return await f()\nawait f()",
}


@pytest.mark.parametrize("name", RECURSION)
def test_recursion_has_an_end(guest: Runs, name: str) -> None:
    error = guest.run(RECURSION[name]).error
    assert error is not None
    assert (error.code, error.type) == (ErrorCode.EXECUTION_ERROR, "RecursionError")
    assert guest.run("1 + 1").unwrap() == 2


def test_a_recursion_error_can_be_caught(guest: Runs) -> None:
    program = "def f(n): return f(n + 1)\ntry: f(0)\nexcept RecursionError: r = 'deep'\nr"
    assert guest.run(program).unwrap() == "deep"


@pytest.mark.parametrize(
    "program", ["str(10 ** 5000)", "int('9' * 5000)", "f'{10 ** 5000}'"], ids=["str", "int", "f"]
)
def test_ints_of_too_many_digits_are_no_text(guest: Runs, program: str) -> None:
    error = guest.run(program).error
    assert error is not None
    assert (error.code, error.type) == (ErrorCode.EXECUTION_ERROR, "ValueError")
