"""What nobody closes: an interrupted task, a session, a pool."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING

import pytest

from doublevm import AsyncEnclavePool, EnclavePool, tool
from tests.support.procfs import descendants, wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)


def test_tasks_that_are_cancelled() -> None:
    """One that waits leaves the queue, one that runs gives its worker back."""
    entered = threading.Event()

    @tool
    async def enter() -> None:
        entered.set()
        await asyncio.sleep(60)

    async def cancel(task: asyncio.Task[object]) -> None:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def main() -> None:
        async with AsyncEnclavePool(tools=[enter], engine="monty", max_workers=1) as pool:

            def start(program: str) -> asyncio.Task[object]:
                run: Awaitable[object] = pool.run(program)
                return asyncio.ensure_future(run)

            running = start("enter()")
            await until(entered.is_set)
            waiting, last = start("1"), start("2")
            await until(lambda: pool.stats.queued == 2)
            await cancel(waiting)
            assert pool.stats.queued == 1
            await cancel(running)
            assert (await last).unwrap() == 2  # type: ignore[attr-defined]
            assert pool.stats.active == 0
            assert pool.stats.recycled == {"failed": 1}

    asyncio.run(main())


def test_a_session_that_was_forgotten_gives_its_worker_back() -> None:
    with EnclavePool(engine="monty", max_workers=1, queue_timeout=5.0) as pool:
        enclave = pool.enclave()
        enclave.session().__enter__().run("1")
        assert pool.stats.active == 1
        del enclave
        gc.collect()
        assert pool.run("2").unwrap() == 2


def test_an_async_session_that_was_forgotten_gives_its_worker_back() -> None:
    async def main() -> None:
        async with AsyncEnclavePool(engine="monty", max_workers=1, queue_timeout=5.0) as pool:
            enclave = pool.enclave()
            session = await enclave.session().__aenter__()
            await session.run("1")
            assert pool.stats.active == 1
            del enclave, session
            gc.collect()
            assert (await pool.run("2")).unwrap() == 2

    asyncio.run(main())


def test_a_pool_that_was_forgotten_ends_its_pairs() -> None:
    before = {process.pid for process in descendants()}
    pool = EnclavePool(engine="monty", max_workers=1)
    pool.run("1")
    del pool
    gc.collect()
    assert wait_until(lambda: {process.pid for process in descendants()} <= before)


def test_an_async_pool_that_was_forgotten_ends_its_pairs() -> None:
    before = {process.pid for process in descendants()}

    async def main() -> None:
        pool = AsyncEnclavePool(engine="monty", max_workers=1)
        await pool.run("1")

    asyncio.run(main())
    gc.collect()
    assert wait_until(lambda: {process.pid for process in descendants()} <= before)


def test_a_pool_belongs_to_one_event_loop() -> None:
    from doublevm import ConfigError

    async def main() -> None:
        async with AsyncEnclavePool(engine="monty", max_workers=1) as pool:
            await pool.run("1")

            def elsewhere() -> None:
                with pytest.raises(ConfigError, match="the pool belongs to another event loop"):
                    asyncio.run(pool.run("1"))

            await asyncio.to_thread(elsewhere)

    asyncio.run(main())
