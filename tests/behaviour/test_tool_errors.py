"""A tool's exception in the guest: the nearest builtin type and the message, nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ErrorCode, tool
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Opens, Runs


class QuotaError(ValueError):
    pass


class RemoteError(Exception):
    pass


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


RAISED: list[tuple[BaseException, str, str]] = [
    (ValueError("too many"), "ValueError", "too many"),
    (QuotaError("too many"), "ValueError", "too many"),
    (RemoteError("gone"), "Exception", "gone"),
    (KeyError("k"), "KeyError", "'k'"),
    (KeyError("a 'b'"), "KeyError", "\"a 'b'\""),
    (IndexError("out"), "IndexError", "out"),
    (TypeError("no"), "TypeError", "no"),
    (PermissionError("not yours"), "PermissionError", "not yours"),
    (FileNotFoundError(2, "No such thing"), "FileNotFoundError", "[Errno 2] No such thing"),
    (ConnectionResetError("reset"), "OSError", "reset"),
    (TimeoutError("slow"), "TimeoutError", "slow"),
    (ZeroDivisionError("by zero"), "ZeroDivisionError", "by zero"),
    (json.JSONDecodeError("bad", "{", 1), "ValueError", "bad: line 1 column 2 (char 1)"),
    (NotImplementedError("later"), "NotImplementedError", "later"),
    # Types that would mean something else in a guest arrive as the next one up.
    (MemoryError("host"), "Exception", "host"),
    (asyncio.CancelledError(), "RuntimeError", "the tool was cancelled"),
    (ExceptionGroup("two", [ValueError("a")]), "Exception", "two (1 sub-exception)"),
    (ValueError(), "ValueError", ""),
    (ValueError("ends in a colon: "), "ValueError", "ends in a colon: "),
    (ValueError("two\nlines"), "ValueError", "two\nlines"),
    (ValueError("x" * 5000), "ValueError", "x" * 2000),
    (ValueError("lone \ud800 surrogate"), "ValueError", "lone \\ud800 surrogate"),
    (SilentError(), "RuntimeError", "tool failed"),
]


def fail(number: int) -> None:
    raise RAISED[number][0]


@tool(name="fail_async")
async def fail_later(number: int) -> None:
    await asyncio.sleep(0)
    raise RAISED[number][0]


@tool(expose_errors=False)
def private() -> None:
    raise KeyError("password of the database")


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    tools = [fail, fail_later, private]
    with opened(driver, engine=engine, tools=tools) as enclave, enclave.session() as session:
        yield session


@pytest.mark.parametrize("call", ["fail", "await fail_async"])
@pytest.mark.parametrize(
    ("number", "kind", "text"), [(n, kind, text) for n, (_, kind, text) in enumerate(RAISED)]
)
def test_the_guest_can_catch_it(guest: Runs, call: str, number: int, kind: str, text: str) -> None:
    result = guest.run(
        f"try:\n    {call}({number})\nexcept {kind} as error:\n"
        "    r = [type(error).__name__, str(error)]\nr"
    )
    assert result.unwrap() == [kind, text]
    assert result.audit[0].outcome == "raised"


@pytest.mark.parametrize(
    ("number", "kind", "text"), [(n, kind, text) for n, (_, kind, text) in enumerate(RAISED)]
)
def test_left_uncaught_it_ends_the_run(guest: Runs, number: int, kind: str, text: str) -> None:
    error = guest.run(f"1\nfail({number})").error
    assert error is not None
    assert (error.code, error.type, error.line) == (ErrorCode.TOOL_ERROR, kind, 2)
    assert error.message == (f"{kind}: {text}" if text else kind)
    assert "handlers" not in error.traceback
    assert __file__ not in error.traceback, "no frame of the host"


@pytest.mark.parametrize("engine", ["monty"])  # the host turns it into something else
@pytest.mark.parametrize("call", ["stop()", "stop_async()", "await stop_async()"])
def test_stop_iteration_ends_no_loop_of_the_guest(open_enclave: Opens, call: str) -> None:
    def stop() -> None:
        raise StopIteration

    async def stop_async() -> None:
        raise StopIteration

    program = (
        "r = []\nfor i in range(2):\n"
        f"    try:\n        {call}\n    except Exception:\n        r.append(i)\nr"
    )
    assert open_enclave(tools=[stop, stop_async]).run(program).unwrap() == [0, 1]


def test_an_exception_of_the_guests_own_is_no_tool_error(guest: Runs) -> None:
    program = "try:\n    fail(0)\nexcept ValueError as e:\n    raise RuntimeError('mine')"
    error = guest.run(program).error
    assert error is not None
    assert (error.code, error.message) == (ErrorCode.EXECUTION_ERROR, "RuntimeError: mine")


def test_a_tool_can_keep_its_errors_to_itself(guest: Runs) -> None:
    error = guest.run("private()").error
    assert error is not None
    assert (error.code, error.message) == (ErrorCode.TOOL_ERROR, "RuntimeError: tool failed")
    assert "password" not in error.traceback


class StopHostError(BaseException):
    """Neither the guest's nor the handler's to deal with."""


@pytest.mark.parametrize("engine", ["monty"])  # the host has what the handler raised, no engine
@pytest.mark.parametrize("call", ["stop()", "await stop()", "stop_async()", "await stop_async()"])
@pytest.mark.parametrize("kind", [SystemExit, StopHostError])
def test_what_ends_the_host_is_raised_where_run_was_called(
    open_enclave: Opens, call: str, kind: type[BaseException]
) -> None:
    def stop() -> None:
        raise kind("enough")

    async def stop_async() -> None:
        raise kind("enough")

    enclave = open_enclave(tools=[stop, stop_async])
    with pytest.raises(kind, match="enough"):
        enclave.run(f"try:\n    {call}\nexcept Exception:\n    pass")
    assert enclave.run("1 + 1").unwrap() == 2


async def _answer(name: str, args: dict[str, Any]) -> list[Any]:
    await asyncio.sleep(0)
    return [name, args]


@pytest.mark.parametrize("handler", [lambda name, args: [name, args], _answer])
def test_a_catch_all_takes_what_is_not_registered(open_enclave: Opens, handler: Any) -> None:
    enclave = open_enclave(tools=[fail], tool_handler=handler)
    with enclave.session() as session:
        assert session.run("call_tool('x:y', {'n': (1,)})").unwrap() == ["x:y", {"n": (1,)}]
        assert session.run("await call_tool('tool_handler', n=1)").unwrap() == [
            "tool_handler",
            {"n": 1},
        ]
        error = session.run("call_tool('fail', {'number': 0})").error
        assert error is not None
        assert error.message == "ValueError: too many", "a registered tool goes first"
        error = session.run("call_tool('no name', {})").error
        assert error is not None
        assert error.verdict is not None
        assert error.verdict.address == "names/grammar"
