"""The sync pool's driver: it wakes who waits, starts and ends pairs, and keeps house."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from doublevm.host.core import closed_under_way
from doublevm.host.link import LinkClosedError
from doublevm.host.pool_core import PoolCore
from doublevm.host.pool_place import Place
from doublevm.host.threads import HandlerLoop, threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from doublevm.host.core import EnclaveCore
    from doublevm.host.holding import Fault
    from doublevm.host.link import PairLink
    from doublevm.host.pool_values import Orders, PoolStats, Ticket, Worker
    from doublevm.pool_limits import PoolLimits


class Crew:
    """The workers of one pool in one process. Any thread may ask; one lock orders them."""

    def __init__(self, limits: PoolLimits, core: EnclaveCore) -> None:
        """Start nothing yet."""
        self.owner = os.getpid()
        self.loop = HandlerLoop()
        self.orphans: deque[Ticket] = deque()
        """What enclaves that nobody closed have left; a finalizer may do no more than add to it."""
        self._core = PoolCore(limits, time.monotonic, lambda: Place(core))
        self._lock = threading.Lock()
        self._calm = threading.Condition(self._lock)
        self._over = threading.Event()
        self._keeping_house = False

    def warm_up(self) -> None:
        """Have ``min_workers`` started."""
        with self._lock:
            orders = self._core.warm_up()
        self._perform(orders)

    def ask(self) -> Ticket:
        """Take a request. Raises ConfigError and PoolRefused, as ``PoolCore.ask`` does."""
        while self.orphans:
            self.drop(orphan := self.orphans.pop(), "failed")
            self.leave(orphan, 0)
        with self._lock:
            ticket = self._core.ask(threading.Event())
            orders = self._core.warm_up()
        self._perform(orders)
        return ticket

    def pair(self, ticket: Ticket) -> PairLink:
        """Wait for the ticket's worker and return its pair.

        Raises:
            PoolRefused: no worker came free in time, or the pool was closed.
            VMError: the pair cannot be started.
        """
        if ticket.worker is None and not ticket.signal.wait(ticket.deadline - time.monotonic()):
            with self._lock:
                self._core.expire(ticket)
        if ticket.refusal is not None:
            raise ticket.refusal
        worker = ticket.worker
        if worker is None:  # its enclave was closed meanwhile
            raise closed_under_way()
        place: Place = worker.place
        return place.live(self._begun(worker))

    def drop(self, ticket: Ticket, why: Fault) -> None:
        """Kill the pair of a ticket."""
        worker = ticket.worker
        if worker is not None:
            with self._lock:
                self._core.recycled(worker, why)
            worker.place.drop()

    def leave(self, ticket: Ticket, runs: int) -> None:
        """End a ticket."""
        worker = ticket.worker
        growth = worker.place.growth if worker is not None else None
        grown = growth.after_a_request() if growth is not None else None
        with self._lock:
            orders = self._core.leave(ticket, runs, grown)
            if worker is not None and worker.cold:
                worker.place.retire()
            self._calm.notify_all()
        ticket.signal.set()
        self._perform(orders)

    def close(self) -> None:
        """Refuse who waits, let runs under way end for a while, then kill what is left."""
        with self._lock:
            orders = self._core.close()
        self._over.set()
        try:
            self._perform(orders)
            with self._lock:
                grace = self._core.limits.graceful_shutdown_timeout
                self._calm.wait_for(lambda: not self._core.busy, grace)
        finally:
            with self._lock:
                left = [*orders.end, *self._core.busy]
            for worker in left:
                worker.place.drop()
            self.loop.close()

    def abandon(self) -> None:
        """Kill every pair: the pool is gone."""
        self._core.closed = True
        self._over.set()
        for worker in [*self._core.busy, *self._core.idle]:
            worker.place.abandon()

    @property
    def stats(self) -> PoolStats:
        """The pool at this moment."""
        with self._lock:
            return self._core.stats

    def _begun(self, worker: Worker) -> Callable[[], None]:
        def begun() -> None:
            with self._lock:
                if self._core.closed:
                    raise LinkClosedError
                self._core.begun(worker)
                self._core.memory_measured = worker.place.growth.measurable

        return begun

    def _perform(self, orders: Orders) -> None:
        for ticket in orders.wake:
            ticket.signal.set()
        for worker in orders.warm:
            worker.place.begin(self._begun(worker))
        for worker in orders.end:
            threads.run(worker.place.drop)
        with self._lock:
            if self._keeping_house or self._core.due() is None:
                return
            self._keeping_house = True
        threads.run(self._keep_house)

    def _keep_house(self) -> None:
        """End idle workers, for as long as there is one to end some day."""
        while True:
            with self._lock:
                orders, due = self._core.tick(), self._core.due()
                if due is None or self._over.is_set():
                    self._keeping_house = False
                    break
            self._perform(orders)
            self._over.wait(due - time.monotonic())
        self._perform(orders)


class LentPair:
    """How an enclave of a pool holds a pair: for a run, or for a session."""

    def __init__(self, crew_here: Callable[[], Crew]) -> None:
        """Ask for nothing yet; ``crew_here`` gives the workers of this process."""
        self.link: PairLink | None = None
        self._crew_here, self._crew = crew_here, crew_here()
        self._ticket: Ticket | None = None
        self._runs = 0

    def live(self) -> PairLink:
        """Return the worker's pair; wait for a worker if there is none yet."""
        if self._ticket is None or self._crew.owner != os.getpid():
            self._crew, self._runs = self._crew_here(), 0
            self._ticket = self._crew.ask()
        self._runs += 1
        self.link = self._crew.pair(self._ticket)
        return self.link

    def drop(self, *, kill: bool, why: Fault = "failed") -> None:  # noqa: ARG002 - never kept alive
        """Kill the pair; the worker stays until ``rest``."""
        ticket, link, self.link = self._ticket, self.link, None
        if ticket is not None and link is not None and self._crew.owner == os.getpid():
            self._crew.drop(ticket, why)

    def rest(self) -> None:
        """Give the worker back, or its place in the queue."""
        ticket, self._ticket, self.link = self._ticket, None, None
        runs, self._runs = self._runs, 0
        if ticket is not None and self._crew.owner == os.getpid():
            self._crew.leave(ticket, runs)

    def submit(self, awaitable: Any) -> Future[tuple[Any, BaseException | None]]:
        """Run what an async handler gave, in a loop that lives as long as the pool."""
        return self._crew.loop.submit(awaitable)

    def close(self) -> None:
        """Give the worker back; a run or session under way loses its pair."""
        self.drop(kill=True)
        self.rest()

    def abandon(self) -> None:
        """Leave the worker to the next request: this may be any thread, with any lock held."""
        if self._ticket is not None:
            self._crew.orphans.append(self._ticket)
