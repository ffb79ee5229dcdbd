"""The async pool's driver; see ``host/pool_crew.py``. All of it runs in one event loop."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from typing import TYPE_CHECKING

from doublevm.host.aioplace import AsyncPlace
from doublevm.host.core import closed_under_way
from doublevm.host.pool_core import PoolCore

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.host.aiolink import AsyncPairLink
    from doublevm.host.core import EnclaveCore
    from doublevm.host.holding import Fault
    from doublevm.host.pool_values import Orders, PoolStats, Ticket, Worker
    from doublevm.pool_limits import PoolLimits


class AsyncCrew:
    """The workers of one pool in one event loop."""

    def __init__(self, limits: PoolLimits, core: EnclaveCore) -> None:
        """Start nothing yet."""
        self.owner = os.getpid()
        self.loop = asyncio.get_running_loop()
        self.orphans: deque[Ticket] = deque()
        """What enclaves that nobody closed have left."""
        self._core = PoolCore(limits, time.monotonic, lambda: AsyncPlace(core))
        self._calm = asyncio.Event()
        self._house: asyncio.TimerHandle | None = None

    def warm_up(self) -> None:
        """Have ``min_workers`` started."""
        self._perform(self._core.warm_up())

    def ask(self) -> Ticket:
        """Take a request. Raises ConfigError and PoolRefused, as ``PoolCore.ask`` does."""
        while self.orphans:
            self.drop(orphan := self.orphans.pop(), "failed")
            self.leave(orphan, 0)
        ticket = self._core.ask(asyncio.Event())
        self.warm_up()
        return ticket

    async def pair(self, ticket: Ticket) -> AsyncPairLink:
        """Wait for the ticket's worker and return its pair; see ``Crew.pair``."""
        if ticket.worker is None:
            try:
                async with asyncio.timeout(ticket.deadline - time.monotonic()):
                    await ticket.signal.wait()
            except TimeoutError:
                self._core.expire(ticket)
        if ticket.refusal is not None:
            raise ticket.refusal
        worker = ticket.worker
        if worker is None:  # its enclave was closed meanwhile
            raise closed_under_way()
        place: AsyncPlace = worker.place
        return await place.live(self._begun(worker))

    def drop(self, ticket: Ticket, why: Fault) -> None:
        """Kill the pair of a ticket."""
        worker = ticket.worker
        if worker is not None:
            self._core.recycled(worker, why)
            worker.place.drop()

    def leave(self, ticket: Ticket, runs: int) -> None:
        """End a ticket."""
        worker = ticket.worker
        growth = worker.place.growth if worker is not None else None
        grown = growth.after_a_request() if growth is not None else None
        orders = self._core.leave(ticket, runs, grown)
        if worker is not None and worker.cold:
            worker.place.retire()
        if not self._core.busy:
            self._calm.set()
        ticket.signal.set()
        self._perform(orders)

    async def close(self) -> None:
        """Refuse who waits, let runs under way end for a while, then kill what is left."""
        orders = self._core.close()
        try:
            self._perform(orders)
            await self._runs_under_way()
        finally:
            left = list(self._core.busy)
            for worker in left:
                worker.place.drop()
            for worker in [*orders.end, *left]:
                await worker.place.gone()
            if self._house is not None:
                self._house.cancel()

    async def _runs_under_way(self) -> None:
        self._calm.clear()
        if self._core.busy:
            try:
                async with asyncio.timeout(self._core.limits.graceful_shutdown_timeout):
                    await self._calm.wait()
            except TimeoutError:
                return

    def abandon(self) -> None:
        """Kill every pair: the pool, or its loop, is gone."""
        self._core.closed = True
        for worker in [*self._core.busy, *self._core.idle]:
            worker.place.abandon()

    @property
    def stats(self) -> PoolStats:
        """The pool at this moment."""
        return self._core.stats

    def _begun(self, worker: Worker) -> Callable[[], None]:
        def begun() -> None:
            if self._core.closed:
                raise closed_under_way()
            self._core.begun(worker)
            self._core.memory_measured = worker.place.growth.measurable

        return begun

    def _perform(self, orders: Orders) -> None:
        for ticket in orders.wake:
            ticket.signal.set()
        for worker in orders.warm:
            worker.place.begin(self._begun(worker))
        for worker in orders.end:
            worker.place.drop()
        due = self._core.due()
        if self._house is None and due is not None:
            self._house = self.loop.call_later(due - time.monotonic(), self._keep_house)

    def _keep_house(self) -> None:
        self._house = None
        self._perform(self._core.tick())


class LentAsyncPair:
    """How an enclave of a pool holds a pair: for a run, or for a session."""

    def __init__(self, crew_here: Callable[[], AsyncCrew]) -> None:
        """Ask for nothing yet; ``crew_here`` gives the workers of the running loop."""
        self.link: AsyncPairLink | None = None
        self._crew_here = crew_here
        self._crew: AsyncCrew | None = None
        self._ticket: Ticket | None = None
        self._runs = 0

    async def live(self) -> AsyncPairLink:
        """Return the worker's pair; wait for a worker if there is none yet."""
        crew = self._crew_here()
        if self._ticket is None or self._crew is not crew:
            self._crew, self._runs = crew, 0
            self._ticket = crew.ask()
        self._runs += 1
        self.link = await crew.pair(self._ticket)
        return self.link

    async def drop(self, *, kill: bool, why: Fault = "failed") -> None:  # noqa: ARG002 - never kept
        """Kill the pair; the worker stays until ``rest``."""
        link, self.link = self.link, None
        if self._held_here and link is not None:
            assert self._crew is not None
            assert self._ticket is not None
            self._crew.drop(self._ticket, why)

    def rest(self) -> None:
        """Give the worker back, or its place in the queue."""
        here = self._held_here
        ticket, self._ticket, self.link = self._ticket, None, None
        runs, self._runs = self._runs, 0
        if here and ticket is not None:
            assert self._crew is not None
            self._crew.leave(ticket, runs)

    async def close(self) -> None:
        """Give the worker back; a run or session under way loses its pair."""
        if self.link is not None:
            self.link.wake(closed_under_way())
        await self.drop(kill=True)
        self.rest()

    def abandon(self) -> None:
        """Leave the worker to the next request: this may be any thread, with any lock held."""
        if self._crew is not None and self._ticket is not None:
            self._crew.orphans.append(self._ticket)

    @property
    def _held_here(self) -> bool:
        crew = self._crew
        return self._ticket is not None and crew is not None and crew.owner == os.getpid()
