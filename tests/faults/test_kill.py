"""Kill -9 of either VM at each state of a run: the documented error, and a usable enclave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Literal

import pytest

from doublevm import EngineUnavailable, ErrorCode, Limits, VMCrashed
from tests.behaviour.drivers import opened
from tests.support.procfs import inner_vms, parent_vms, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.behaviour.drivers import Driven, Driver, Engine

VM = Literal["parent", "inner"]

LOOP = "while True: pass"
PATIENCE = 8.0
"""Seconds within which a fault must have shown; below a run's timeout, so that it is not that."""

both_drivers = pytest.mark.parametrize("driver", ["sync", "async"])
both_engines = pytest.mark.parametrize("engine", ["monty", "cpython"])
both_vms = pytest.mark.parametrize("vm", ["parent", "inner"])


def kill(vm: VM) -> None:
    """Kill the one VM of that kind that this process has, and wait until it is dead."""
    living = parent_vms if vm == "parent" else inner_vms
    assert wait_until(living)
    for process in living():
        os.kill(process.pid, signal.SIGKILL)
        assert wait_until(lambda pid=process.pid: pid not in {p.pid for p in living()})  # type: ignore[misc]


def soon(action: Callable[[], None]) -> None:
    """Do it in another thread, a moment from now."""

    def act() -> None:
        time.sleep(0.1)
        action()

    threading.Thread(target=act, daemon=True).start()


def dies(enclave: Driven, program: str, vm: VM, on_output: Any = None) -> None:
    """The run raises the documented error, long before its timeout, and the next one works."""
    began = time.monotonic()
    with pytest.raises(VMCrashed) as caught:
        enclave.run(program, on_output=on_output)
    assert time.monotonic() - began < PATIENCE
    assert caught.value.vm == vm
    assert "killed" in str(caught.value) or "died" in str(caught.value)
    assert enclave.run("1 + 1").unwrap() == 2


def patient(engine: Engine, **options: Any) -> dict[str, Any]:
    return {"engine": engine, "limits": Limits(timeout=PATIENCE * 2), **options}


@both_vms
@both_engines
@both_drivers
def test_while_it_starts(driver: Driver, engine: Engine, vm: VM) -> None:
    with opened(driver, **patient(engine)) as enclave:
        killer = threading.Thread(target=kill, args=[vm], daemon=True)
        killer.start()
        with pytest.raises((VMCrashed, EngineUnavailable)) as caught:
            enclave.run(LOOP)
        killer.join()
        assert not isinstance(caught.value, VMCrashed) or caught.value.vm == vm
        assert enclave.run("1 + 1").unwrap() == 2


@both_vms
@both_engines
@both_drivers
def test_while_the_guest_computes(driver: Driver, engine: Engine, vm: VM) -> None:
    with opened(driver, **patient(engine)) as enclave:
        dies(enclave, f"print('go')\n{LOOP}", vm, on_output=lambda *_: soon(lambda: kill(vm)))


@both_vms
@both_engines
@both_drivers
def test_inside_a_call_of_a_sync_tool(driver: Driver, engine: Engine, vm: VM) -> None:
    def tool() -> str:
        kill(vm)
        return "x" * 100_000  # more than a pipe takes at once

    with opened(driver, **patient(engine, tools=[tool])) as enclave:
        dies(enclave, "tool()", vm)
        assert [record.outcome for record in enclave.history] == ["returned"]


@both_vms
@both_engines
@both_drivers
def test_inside_a_call_of_an_async_tool(driver: Driver, engine: Engine, vm: VM) -> None:
    async def tool() -> int:
        await asyncio.sleep(0)
        kill(vm)
        return 1

    with opened(driver, **patient(engine, tools=[tool])) as enclave:
        dies(enclave, "tool()", vm)


@both_vms
@both_engines
@both_drivers
def test_inside_concurrent_calls(driver: Driver, engine: Engine, vm: VM) -> None:
    open_calls = []

    async def tool(number: int) -> int:
        open_calls.append(number)
        if len(open_calls) == 3:
            soon(lambda: kill(vm))
        await asyncio.sleep(PATIENCE)
        return number

    with opened(driver, **patient(engine, tools=[tool])) as enclave:
        dies(enclave, "import asyncio\nawait asyncio.gather(tool(1), tool(2), tool(3))", vm)
        assert [record.outcome for record in enclave.history] == ["abandoned"] * 3


@both_vms
@both_engines
@both_drivers
@pytest.mark.parametrize(
    "program",
    [
        "import asyncio\nprint('go')\nawait asyncio.sleep(90)",
        "import time\nprint('go')\ntime.sleep(90)",
    ],
)
def test_while_the_guest_sleeps(driver: Driver, engine: Engine, vm: VM, program: str) -> None:
    with opened(driver, **patient(engine)) as enclave:
        dies(enclave, program, vm, on_output=lambda *_: soon(lambda: kill(vm)))


@both_vms
@both_engines
@both_drivers
def test_between_runs_nobody_notices(driver: Driver, engine: Engine, vm: VM) -> None:
    with opened(driver, engine=engine) as enclave:
        assert enclave.run("1").unwrap() == 1
        for process in (*inner_vms(), *parent_vms()):
            if process.is_parent_vm == (vm == "parent"):
                with contextlib.suppress(ProcessLookupError):  # a guest on its own way out
                    os.kill(process.pid, signal.SIGKILL)
                assert wait_until(lambda pid=process.pid: not Alive.check(pid))  # type: ignore[misc]
        assert enclave.run("2").unwrap() == 2


class Alive:
    """Whether a process still runs."""

    @staticmethod
    def check(pid: int) -> bool:
        return pid in {process.pid for process in (*inner_vms(), *parent_vms())}


@both_vms
@both_engines
@both_drivers
def test_between_runs_of_a_session(driver: Driver, engine: Engine, vm: VM) -> None:
    with opened(driver, engine=engine) as enclave:
        with enclave.session() as session:
            session.run("kept = 20")
            kill(vm)
            # What the guest knew is lost: that is no run to repeat silently.
            with pytest.raises(VMCrashed) as caught:
                session.run("kept + 1")
            assert caught.value.vm == vm
            lost = session.run("kept + 1").error
            assert lost is not None
            assert (lost.code, lost.type) == (ErrorCode.EXECUTION_ERROR, "NameError")
        assert enclave.run("1 + 1").unwrap() == 2


@both_vms
@both_engines
@both_drivers
def test_at_the_end_of_a_session(driver: Driver, engine: Engine, vm: VM) -> None:
    with opened(driver, engine=engine) as enclave:
        with enclave.session() as session:
            session.run("kept = 20")
            kill(vm)
        assert enclave.run("1 + 1").unwrap() == 2
