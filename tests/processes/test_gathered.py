"""A run's processes share a core while they talk; the host's own code stays where it was."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from typing import Any

import pytest

from doublevm import AsyncEnclave, Enclave, EnclavePool, Limits, VMCrashed, tool
from doublevm.host.cores import usable_cores
from tests.support.procfs import inner_vms, parent_vms, wait_until

pytestmark = pytest.mark.skipif(len(usable_cores()) < 2, reason="needs two cores")

both_engines = pytest.mark.parametrize("engine", ["monty", "cpython"])

CALLS = "print('go')\nlook()"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take no guest for one that computes because the machine is slow."""
    monkeypatch.setattr("doublevm.host.cores.COMPUTES_SECONDS", 60.0)


def where_vms_are() -> set[frozenset[int]]:
    found = set()
    for process in (*parent_vms(), *inner_vms()):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            for task in (process.folder / "task").iterdir():
                found.add(frozenset(os.sched_getaffinity(int(task.name))))
    return found


def together() -> bool:
    return [len(where) for where in where_vms_are()] == [1]


@both_engines
@pytest.mark.usefixtures("patient")
def test_the_vms_share_a_core_and_handlers_do_not(engine: str) -> None:
    everywhere, seen = usable_cores(), []

    @tool
    def look() -> None:
        assert wait_until(together)  # an earlier test's may still be on their way out
        seen.append(usable_cores())

    with Enclave(tools=[look], engine=engine) as enclave:
        for _ in range(2):
            enclave.run(CALLS, on_output=lambda *_: seen.append(usable_cores())).unwrap()
    assert set(seen) == {everywhere}
    assert len(seen) == 4
    assert usable_cores() == everywhere


@both_engines
def test_it_can_be_switched_off(engine: str) -> None:
    @tool
    def look() -> None:
        assert not together()

    with Enclave(tools=[look], engine=engine, gather_on_one_core=False) as enclave:
        enclave.run(CALLS).unwrap()


@pytest.mark.usefixtures("patient")
def test_async_and_in_a_pool() -> None:
    everywhere = usable_cores()

    @tool
    async def look() -> bool:
        assert usable_cores() == everywhere
        return wait_until(together)

    async def main() -> None:
        async with AsyncEnclave(tools=[look], engine="cpython") as enclave:
            assert (await enclave.run(CALLS)).unwrap()

    asyncio.run(main())
    with EnclavePool(tools=[look], engine="monty", min_workers=1, max_workers=1) as pool:
        assert pool.run(CALLS).unwrap()


@both_engines
@pytest.mark.parametrize("is_async", [False, True])
def test_a_guest_that_computes_is_let_go(
    engine: str,
    is_async: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Long enough to be looked at before, on a machine that has more to do.
    monkeypatch.setattr("doublevm.host.cores.COMPUTES_SECONDS", 1.0)
    looked: list[bool] = []

    def watch() -> None:
        looked.append(wait_until(together, 10))
        looked.append(wait_until(lambda: where_vms_are() == {usable_cores()}, 10))
        for process in parent_vms():  # it need not compute any longer
            os.kill(process.pid, signal.SIGKILL)

    options: dict[str, Any] = {"engine": engine, "limits": Limits(timeout=30)}
    program = "while True: pass"

    async def main() -> None:
        async with AsyncEnclave(**options) as enclave:
            (await enclave.run("1")).unwrap()
            watcher.start()
            with pytest.raises(VMCrashed):
                await enclave.run(program)

    watcher = threading.Thread(target=watch)
    if is_async:
        asyncio.run(main())
    else:
        with Enclave(**options) as enclave:
            enclave.run("1").unwrap()
            watcher.start()
            with pytest.raises(VMCrashed):
                enclave.run(program)
    watcher.join()
    assert looked == [True, True]


@pytest.mark.usefixtures("patient")
def test_two_runs_at_once_are_not_on_one_core() -> None:
    barrier, seen = threading.Barrier(2, timeout=30), []

    @tool
    def look() -> None:
        barrier.wait()
        seen.append(where_vms_are())
        barrier.wait()

    enclaves = [Enclave(tools=[look], engine="monty") for _ in range(2)]
    threads = [threading.Thread(target=enclave.run, args=("look()",)) for enclave in enclaves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for enclave in enclaves:
        enclave.close()
    assert [len(where) for where in seen] == [2, 2]
