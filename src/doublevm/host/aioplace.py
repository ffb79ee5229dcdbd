"""What a worker of the async pool holds; see ``host/pool_place.py``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from doublevm.errors import EngineUnavailable
from doublevm.host.aiolink import AsyncPairLink, in_thread, start_pair
from doublevm.host.core import START_SECONDS, closed_under_way
from doublevm.host.pool_place import Growth
from doublevm.host.zygote import spawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.host.core import EnclaveCore


class AsyncPlace:
    """Starts pairs in a task of their own: whoever waits for one may be cancelled."""

    def __init__(self, core: EnclaveCore) -> None:
        """Start nothing yet. ``core`` greets: what pairs are told is the same for all of a pool."""
        self._core = core
        self._starting: asyncio.Task[AsyncPairLink] | None = None
        self._link: AsyncPairLink | None = None
        self._retired: AsyncPairLink | None = None
        self._ending: set[asyncio.Task[AsyncPairLink]] = set()
        """Starts that were cancelled and have something to undo."""
        self.growth: Growth | None = None

    def begin(self, begun: Callable[[], None]) -> asyncio.Task[AsyncPairLink]:
        """Have a pair started, unless there is one or it is on its way."""
        task = self._starting
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            self._starting = task = asyncio.create_task(self._begin(begun))
            task.add_done_callback(_look)
        return task

    async def live(self, begun: Callable[[], None]) -> AsyncPairLink:
        """Return the pair, and wait for it if it has to be started; see ``Place.live``."""
        task = self.begin(begun)
        done, _ = await asyncio.wait([task], timeout=START_SECONDS)
        if not done:
            self.drop()
            raise EngineUnavailable(f"the VMs did not start within {START_SECONDS:g} s")
        if task.cancelled():
            raise closed_under_way()
        return task.result()

    def retire(self) -> None:
        """Have the pair ended by whoever starts the next one. Nobody uses it any more."""
        if self._starting is not None and self._starting.done():
            self._retired, self._link, self._starting = self._link, None, None

    def drop(self) -> None:
        """Kill the pair; one that is being started as well."""
        task, links = self._starting, (self._link, self._retired)
        self._link = self._retired = self._starting = None
        if task is not None and not task.done():
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            task.cancel()
        for link in links:
            if link is not None:
                link.wake(closed_under_way())
                link.close(kill=True)

    async def gone(self) -> None:
        """Wait until nothing of what was dropped is left."""
        if self._ending:
            await asyncio.wait(self._ending)

    def abandon(self) -> None:
        """Kill the pair without waiting for anybody: the pool is gone."""
        for link in (self._link, self._retired):
            if link is not None:
                link.abandon()

    async def _begin(self, begun: Callable[[], None]) -> AsyncPairLink:
        retired, self._retired = self._retired, None
        if retired is not None:
            retired.stop_listening()
            await in_thread(retired.abandon)
        link = AsyncPairLink(await start_pair(lambda: spawn(self._core.config.kind)))
        self._link = link
        try:
            await link.send(self._core.configure())
            link.confinement = self._core.check_ready(await link.next())
            link.greeted = True
            self.growth = await in_thread(lambda: Growth(link.process.pid))
            begun()
        except BaseException:
            link.close(kill=True)
            raise
        return link


def _look(task: asyncio.Task[AsyncPairLink]) -> None:
    """Take note of how a start ended: asyncio complains of errors that nobody has looked at."""
    if not task.cancelled():
        task.exception()
