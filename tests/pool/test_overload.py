"""More requests than a pool can take: each is answered or refused, in order and in time."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from doublevm import EnclavePool, PoolRefused, tool
from tests.support.procfs import parent_vms, wait_until

if TYPE_CHECKING:
    from tests.pool.drivers import DrivenPool, Opens


class Gate:
    """A tool that holds its guest until it is opened, and notes who came."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.came: list[int] = []
        self.tool = tool(name="enter")(self._enter)

    def _enter(self, number: int) -> int:
        self.came.append(number)
        self.open.wait(60)
        return number


def ask(pool: DrivenPool, number: int) -> int | str:
    try:
        value: int = pool.run(f"enter({number})").unwrap()
    except PoolRefused as refused:
        return refused.reason
    return value


def queued(pool: DrivenPool, number: int) -> bool:
    return wait_until(lambda: pool.stats.queued == number)


def test_the_order_is_kept(open_pool: Opens) -> None:
    gate = Gate()
    pool = open_pool(tools=[gate.tool], max_workers=1, max_queue_size=20)
    with ThreadPoolExecutor(20) as threads:
        answers = []
        for number in range(20):
            answers.append(threads.submit(ask, pool, number))
            assert wait_until(lambda: len(gate.came) == 1)
            assert queued(pool, number)
        gate.open.set()
        assert [answer.result() for answer in answers] == list(range(20))
    assert gate.came == list(range(20))
    assert pool.stats.queued == pool.stats.active == 0


def test_ten_times_what_it_can_take(open_pool: Opens) -> None:
    """Two run, four wait, and the rest of sixty is refused at once."""
    gate = Gate()
    pool = open_pool(tools=[gate.tool], max_workers=2, max_queue_size=4)
    with ThreadPoolExecutor(60) as threads:
        answers = [threads.submit(ask, pool, number) for number in range(60)]
        assert wait_until(lambda: sum(answer.done() for answer in answers) == 54)
        assert [answer.result() for answer in answers if answer.done()] == ["full"] * 54
        stats = pool.stats
        assert (stats.queued, dict(stats.refused)) == (4, {"full": 54})
        # Those that run are held; another test's pair may still be on its way out.
        assert wait_until(lambda: len(parent_vms()) <= 2)
        gate.open.set()
        numbers = [answer.result() for answer in answers]
    assert [number for number in numbers if number != "full"] == sorted(gate.came)
    assert len(gate.came) == 6


def test_nobody_waits_longer_than_the_timeout(open_pool: Opens) -> None:
    gate = Gate()
    pool = open_pool(tools=[gate.tool], max_workers=1, queue_timeout=0.3)
    with ThreadPoolExecutor(5) as threads:
        first = threads.submit(ask, pool, 0)
        assert wait_until(lambda: gate.came)
        began = time.monotonic()
        rest = [threads.submit(ask, pool, number) for number in range(1, 5)]
        assert [answer.result(60) for answer in rest] == ["timeout"] * 4
        assert time.monotonic() - began >= 0.3
        gate.open.set()
        assert first.result() == 0
    assert gate.came == [0]
    assert dict(pool.stats.refused) == {"timeout": 4}
    assert pool.run("1").unwrap() == 1


def test_a_queue_of_none(open_pool: Opens) -> None:
    gate = Gate()
    pool = open_pool(tools=[gate.tool], max_workers=1, max_queue_size=0)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(ask, pool, 0)
        assert wait_until(lambda: gate.came)
        with pytest.raises(PoolRefused, match="all workers are busy and 0 requests wait already"):
            pool.run("1")
        gate.open.set()
        assert first.result() == 0


def test_an_enclave_waits_as_well(open_pool: Opens) -> None:
    gate = Gate()
    pool = open_pool(tools=[gate.tool], max_workers=1, queue_timeout=0.2)
    with ThreadPoolExecutor(1) as threads, pool.enclave() as enclave:
        first = threads.submit(ask, pool, 0)
        assert wait_until(lambda: gate.came)
        with pytest.raises(PoolRefused):
            enclave.run("1")
        gate.open.set()
        first.result()
        assert enclave.run("2").unwrap() == 2


def test_an_enclave_that_is_closed_leaves_the_queue(open_pool: Opens) -> None:
    gate = Gate()
    pool = open_pool(tools=[gate.tool], max_workers=1)
    with ThreadPoolExecutor(2) as threads, pool.enclave() as enclave:
        first = threads.submit(ask, pool, 0)
        assert wait_until(lambda: gate.came)
        second = threads.submit(enclave.run, "1")
        assert queued(pool, 1)
        enclave.close()
        assert "closed" in str(second.exception(60))
        assert pool.stats.queued == 0
        gate.open.set()
        assert first.result() == 0


def test_who_is_interrupted_leaves_the_queue() -> None:
    """Ctrl-C reaches the main thread, so this is about the sync pool."""
    gate = Gate()
    with (
        EnclavePool(tools=[gate.tool], max_workers=1, engine="monty") as pool,
        ThreadPoolExecutor(2) as threads,
    ):
        first = threads.submit(ask, pool, 0)
        assert wait_until(lambda: gate.came)

        def interrupt() -> None:
            assert queued(pool, 1)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        interrupted = threads.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            pool.run("1")
        interrupted.result()
        assert pool.stats.queued == 0
        gate.open.set()
        assert first.result() == 0
        assert pool.run("1").unwrap() == 1


def test_a_run_that_is_interrupted_gives_its_worker_back() -> None:
    gate = Gate()
    with EnclavePool(tools=[gate.tool], max_workers=1, engine="monty") as pool:

        def interrupt() -> None:
            assert wait_until(lambda: gate.came)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        with ThreadPoolExecutor(1) as threads:
            interrupted = threads.submit(interrupt)
            with pytest.raises(KeyboardInterrupt):
                pool.run("enter(1)")
            interrupted.result()
        gate.open.set()
        assert pool.stats.active == 0
        assert dict(pool.stats.recycled) == {"failed": 1}
        assert pool.run("1").unwrap() == 1
