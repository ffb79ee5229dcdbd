"""The end of a pool: runs under way have a while, who waits is told, nothing is left."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from doublevm import ConfigError, PoolRefused, VMError, tool
from tests.support.procfs import descendants, wait_until

if TYPE_CHECKING:
    from tests.pool.drivers import Opens


def test_runs_under_way_end(open_pool: Opens) -> None:
    begun = threading.Event()

    @tool
    def slow() -> str:
        begun.set()
        time.sleep(0.3)
        return "done"

    pool = open_pool(tools=[slow], max_workers=1)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(pool.run, "slow()")
        assert begun.wait(20)
        second = threads.submit(pool.run, "slow()")
        assert wait_until(lambda: pool.stats.queued == 1)
        pool.close()
        assert first.result(20).unwrap() == "done"
        refused = second.exception(20)
    assert isinstance(refused, PoolRefused)
    assert refused.reason == "closed"
    assert str(refused) == "the pool was closed while the request waited; nothing ran"


def test_what_does_not_end_is_killed(open_pool: Opens) -> None:
    begun, free = threading.Event(), threading.Event()

    @tool
    def stuck() -> None:
        begun.set()
        free.wait(60)

    pool = open_pool(tools=[stuck], max_workers=1, graceful_shutdown_timeout=0.2)
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(pool.run, "stuck()")
        assert begun.wait(20)
        before = {process.pid for process in descendants()}
        pool.close()
        assert wait_until(lambda: not before & {process.pid for process in descendants()})
        free.set()
        assert isinstance(run.exception(20), VMError)


def test_a_session_left_open_loses_its_guest(open_pool: Opens) -> None:
    pool = open_pool(max_workers=1, graceful_shutdown_timeout=0.0)
    with pool.enclave() as enclave, enclave.session() as session:
        session.run("1")
        pool.close()
        with pytest.raises((VMError, ConfigError)):
            session.run("1")


def test_a_closed_pool(open_pool: Opens) -> None:
    pool = open_pool()
    pool.run("1")
    pool.close()
    pool.close()
    with pytest.raises(ConfigError, match="the pool is closed; make a new one"):
        pool.run("1")
    assert pool.stats.idle == pool.stats.active == 0


def test_a_pool_that_was_never_used(open_pool: Opens) -> None:
    open_pool().close()


def test_closing_while_it_starts(open_pool: Opens) -> None:
    before = {process.pid for process in descendants()}
    pool = open_pool(min_workers=3)
    pool.close()
    assert wait_until(lambda: {process.pid for process in descendants()} <= before)


def test_an_enclave_may_outlive_its_pool(open_pool: Opens) -> None:
    pool = open_pool()
    with pool.enclave() as enclave:
        enclave.run("1")
        pool.close()
        with pytest.raises(ConfigError, match="the pool is closed"):
            enclave.run("1")
