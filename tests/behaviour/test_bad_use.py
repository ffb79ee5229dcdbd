"""Uses of an enclave that cannot be right: a ConfigError, and nothing of it runs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import AsyncEnclave, ConfigError, Enclave
from tests.behaviour.drivers import opened
from tests.support.procfs import descendants, wait_until

if TYPE_CHECKING:
    from tests.behaviour.drivers import Driver, Opens

ONE_ENGINE = pytest.mark.parametrize("engine", ["monty"])
"""The host refuses these: no engine is reached."""

RUNS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "bytes": (b"1 + 1", {}, "program must be text, not bytes"),
    "None": (None, {}, "program must be text, not NoneType"),
    "a number": (5, {}, "program must be text, not int"),
    "code": (compile("1", "x", "eval"), {}, "program must be text, not code"),
    "lone surrogates": ("'\ud800'", {}, "program has lone surrogates"),
    "too long": ("#" * (2**20 + 1), {}, "program has 1,048,577 bytes; 1,048,576 are accepted"),
    "too long in UTF-8": ("#" + "é" * 2**19, {}, "program has 1,048,577 bytes"),
    "inputs that are a list": ("1", {"inputs": [1]}, "inputs must be a dict of names and values"),
    "an input without a name": ("1", {"inputs": {"a b": 1}}, "inputs: 'a b' cannot be"),
    "an input named by a keyword": ("1", {"inputs": {"if": 1}}, "inputs: 'if' cannot be"),
    "an input named as a tool": ("1", {"inputs": {"double": 1}}, "inputs: 'double' is the name"),
    "an input that cannot cross": ("1", {"inputs": {"x": {1: print}}}, "inputs['x'][1] is of type"),
    "a callback that is none": ("1", {"on_output": "print"}, "on_output must be a function"),
}


def double(n: int) -> int:
    return n * 2


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("in_session", [False, True])
def test_a_run_that_cannot_be_right(driver: Driver, name: str, *, in_session: bool) -> None:
    program, arguments, message = RUNS[name]
    before = descendants()
    with opened(driver, tools=[double]) as enclave, contextlib.ExitStack() as sessions:
        runs = sessions.enter_context(enclave.session()) if in_session else enclave
        with pytest.raises(ConfigError) as raised:
            runs.run(program, **arguments)
        assert isinstance(raised.value, ValueError)
        assert message in str(raised.value)
        assert descendants() == before, "nothing was started for it"
        assert enclave.history == ()


@ONE_ENGINE
def test_an_enclave_goes_on_after_a_wrong_use(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=[double])
    for _ in range(2):
        with pytest.raises(ConfigError):
            enclave.run(None)  # type: ignore[arg-type]
        assert enclave.run("double(2)").unwrap() == 4
    assert [record.run for record in enclave.history] == [1, 2]


@ONE_ENGINE
@pytest.mark.parametrize("used", [False, True])
def test_a_closed_enclave_runs_nothing(open_enclave: Opens, *, used: bool) -> None:
    enclave = open_enclave(tools=[double])
    if used:
        enclave.run("double(1)")
    enclave.close()
    enclave.close()
    before = descendants()
    with pytest.raises(ConfigError, match="the enclave is closed"):
        enclave.run("1")
    with pytest.raises(ConfigError, match="the enclave is closed"), enclave.session() as session:
        session.run("1")
    assert descendants() == before
    assert "double" in enclave.tool_stubs(), "it still tells"
    assert len(enclave.history) == used


@ONE_ENGINE
def test_a_session_ends_with_its_enclave(open_enclave: Opens) -> None:
    enclave = open_enclave()
    with enclave.session() as session:
        session.run("x = 1")
        enclave.close()
        with pytest.raises(ConfigError, match="the enclave is closed"):
            session.run("x")


def test_a_run_inside_a_run_is_refused() -> None:
    refused: list[str] = []

    def again() -> str:
        try:
            enclave.run("1 + 1")
        except ConfigError as error:
            refused.append(str(error))
        return "went on"

    with Enclave(tools=[again], engine="monty") as enclave:
        assert enclave.run("again()").unwrap() == "went on"
        assert enclave.run("await again()").unwrap() == "went on"
        assert enclave.run("1").success
    assert len(refused) == 2
    assert all("use a second enclave" in message for message in refused)


def test_a_run_inside_an_async_run_is_refused() -> None:
    refused: list[str] = []

    async def again() -> str:
        try:
            await enclave.run("1 + 1")
        except ConfigError as error:
            refused.append(str(error))
        return "went on"

    enclave = AsyncEnclave(tools=[again], engine="monty")

    async def main() -> None:
        async with enclave:
            assert (await enclave.run("again()")).unwrap() == "went on"
            assert (await enclave.run("await again()")).unwrap() == "went on"

    asyncio.run(main())
    assert len(refused) == 2


def test_another_enclave_may_run_inside_a_run() -> None:
    with Enclave(engine="monty") as inner:

        def ask(program: str) -> Any:
            return inner.run(program).unwrap()

        with Enclave(tools=[ask], engine="monty") as outer:
            assert outer.run("ask('6 * 7') + 1").unwrap() == 43


def test_two_threads_cannot_run_at_once() -> None:
    begun, let_go = threading.Event(), threading.Event()
    results: list[Any] = []

    def hold() -> int:
        begun.set()
        let_go.wait(20)
        return 1

    with Enclave(tools=[hold], engine="monty") as enclave:
        first = threading.Thread(target=lambda: results.append(enclave.run("hold()").unwrap()))
        first.start()
        try:
            assert begun.wait(20)
            with pytest.raises(ConfigError, match="a run is under way"):
                enclave.run("1")
        finally:
            let_go.set()
            first.join(20)
        assert results == [1]
        assert enclave.run("2").unwrap() == 2, "one after the other, threads may"


def test_two_tasks_cannot_run_at_once() -> None:
    async def main() -> None:
        begun, let_go = asyncio.Event(), asyncio.Event()

        async def hold() -> int:
            begun.set()
            await asyncio.wait_for(let_go.wait(), 20)
            return 1

        async with AsyncEnclave(tools=[hold], engine="monty") as enclave:
            first = asyncio.create_task(enclave.run("hold()"))
            await asyncio.wait_for(begun.wait(), 20)
            with pytest.raises(ConfigError, match="a run is under way"):
                await enclave.run("1")
            let_go.set()
            assert (await first).unwrap() == 1

    asyncio.run(main())


def test_a_cancelled_run_ends_its_processes_and_the_enclave_goes_on() -> None:
    before = {process.pid for process in descendants()}

    async def main() -> None:
        begun = asyncio.Event()

        async def hold() -> None:
            begun.set()
            await asyncio.sleep(3600)

        async with AsyncEnclave(tools=[hold], engine="monty") as enclave:
            run = asyncio.create_task(enclave.run("hold()"))
            await asyncio.wait_for(begun.wait(), 20)
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            assert (await enclave.run("1 + 1")).unwrap() == 2

    asyncio.run(main())
    assert wait_until(lambda: {process.pid for process in descendants()} <= before)


def test_an_async_enclave_may_be_used_from_one_loop_after_another() -> None:
    enclave = AsyncEnclave(tools=[double], engine="monty")
    for n in range(2):
        assert asyncio.run(enclave.run(f"double({n})")).unwrap() == n * 2
    asyncio.run(enclave.close())
    assert len(enclave.history) == 2
