"""Workers are replaced as they age, grow or fail, and nobody but their own guests notices."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from doublevm import ErrorCode, Limits, VMCrashed, tool
from doublevm.host import pool_place
from tests.support.procfs import inner_vms, parent_vms, wait_until

if TYPE_CHECKING:
    import pytest

    from tests.pool.drivers import Opens

MIB = 1024 * 1024


def test_after_so_many_runs(open_pool: Opens) -> None:
    pool = open_pool(max_workers=1, max_executions_per_worker=3)
    for number in range(7):
        assert pool.run(f"{number}").unwrap() == number
    assert dict(pool.stats.recycled) == {"executions": 2}
    # The next one is started before anybody asks for it.
    assert wait_until(lambda: pool.stats.started == 3)


def test_the_next_pair_is_warm_before_it_is_needed(open_pool: Opens) -> None:
    pool = open_pool(max_workers=1, max_executions_per_worker=1)
    pool.run("1")
    first = {process.pid for process in parent_vms()}
    assert wait_until(lambda: pool.stats.started == 2)
    ready = {process.pid for process in parent_vms()}
    assert len(ready) == 1
    assert not ready & first
    pool.run("1")


def test_the_runs_of_a_session_count(open_pool: Opens) -> None:
    pool = open_pool(max_workers=1, max_executions_per_worker=3)
    with pool.enclave() as enclave, enclave.session() as session:
        session.run("kept = 1")
        for _ in range(5):
            assert session.run("kept").unwrap() == 1
    assert dict(pool.stats.recycled) == {"executions": 1}


def test_when_it_has_grown(open_pool: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_place, "MEASURED_EVERY", 1)
    sizes = [0, 10 * MIB, 10 * MIB + 1]

    def held(_pids: tuple[int, ...]) -> int:
        return sizes.pop(0) if sizes else 0

    monkeypatch.setattr(pool_place, "held", held)
    pool = open_pool(max_workers=1, memory_limit_per_worker=10 * MIB)
    for recycled in ({}, {"memory": 1}, {"memory": 1}):
        pool.run("1").unwrap()
        assert dict(pool.stats.recycled) == recycled


def test_where_memory_cannot_be_measured(open_pool: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_place, "held", lambda _: None)
    pool = open_pool(max_workers=1, memory_limit_per_worker=1)
    pool.run("1").unwrap()
    assert not pool.stats.memory_measured
    assert dict(pool.stats.recycled) == {}


def test_a_guest_that_was_stopped(open_pool: Opens) -> None:
    pool = open_pool(max_workers=1, limits=Limits(timeout=0.5))
    error = pool.run("while True:\n    pass").error
    assert error is not None
    assert error.code == ErrorCode.TIMEOUT
    assert dict(pool.stats.recycled) == {"spent": 1}
    assert pool.run("1").unwrap() == 1


def test_a_pair_that_dies_under_way(open_pool: Opens) -> None:
    """Its own run ends with an error; the run beside it, and the next one, do not notice."""
    begun, go_on = threading.Barrier(3), threading.Event()

    @tool(name="wait")
    def wait(who: str) -> str:
        begun.wait(20)
        if who == "dies":
            victim.wait(20)
            os.kill(victim.pid, signal.SIGKILL)
        else:
            go_on.wait(20)
        return who

    class Victim(threading.Event):
        pid = 0

    victim = Victim()
    pool = open_pool(tools=[wait], max_workers=2)
    with ThreadPoolExecutor(2) as threads:
        dies = threads.submit(pool.run, "wait('dies')")
        assert wait_until(lambda: pool.stats.started == 1)
        victim.pid = parent_vms()[0].pid
        lives = threads.submit(pool.run, "wait('lives')")
        begun.wait(20)
        victim.set()
        assert isinstance(dies.exception(60), VMCrashed)
        go_on.set()
        assert lives.result(60).unwrap() == "lives"
    assert dict(pool.stats.recycled) == {"failed": 1}
    assert pool.run("1").unwrap() == 1


def test_a_pair_that_dies_idle_costs_no_run(open_pool: Opens) -> None:
    pool = open_pool(max_workers=1)
    pool.run("1").unwrap()
    for process in parent_vms():
        os.kill(process.pid, signal.SIGKILL)
    assert wait_until(lambda: not inner_vms())
    assert pool.run("2").unwrap() == 2
    assert dict(pool.stats.recycled) == {"failed": 1}
    assert pool.stats.started == 2


def test_workers_too_many_end_after_a_while(open_pool: Opens) -> None:
    meeting = threading.Barrier(3)

    @tool
    def meet() -> int:
        return meeting.wait(20)

    pool = open_pool(tools=[meet], max_workers=3, idle_timeout=0.2)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(pool.run, ["meet()"] * 3))
    assert wait_until(lambda: pool.stats.idle == 1)
    assert wait_until(lambda: len(parent_vms()) == 1)
    assert dict(pool.stats.recycled) == {"idle": 2}
    assert pool.run("1").unwrap() == 1


def test_the_first_workers_are_started_ahead(open_pool: Opens) -> None:
    pool = open_pool(min_workers=2, max_workers=3)
    assert wait_until(lambda: pool.stats.started == 2)
    assert len(parent_vms()) == 2
    pool.run("1").unwrap()
    assert pool.stats.started == 2


def test_a_run_may_be_its_pairs_only_one(open_pool: Opens) -> None:
    """For hosts whose conversations must not share a process, whatever is taken over."""
    served: list[int] = []

    @tool
    def note() -> None:
        served.extend(process.pid for process in parent_vms() if process.pid not in served)

    pool = open_pool(tools=[note], max_workers=1, max_executions_per_worker=1)
    for number in range(1, 4):
        pool.run("note()").unwrap()
        assert len(served) == number
