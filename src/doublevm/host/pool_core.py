"""Who gets a pool's next worker, who waits, and which worker is replaced. Does no I/O.

The sync and the async pool are drivers of this: they hold the pairs, and wake who waits. A request
is a Ticket from its first moment to its last, so that whatever interrupts it has one thing to give
back. Every answer is a value, ``Orders``: what the driver has to do now.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from doublevm.errors import ConfigError, PoolRefused
from doublevm.host.pool_values import Orders, PoolStats, Ticket, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.errors import RefusalReason
    from doublevm.host.pool_values import Recycling
    from doublevm.pool_limits import PoolLimits


class PoolCore:
    """Workers and requests of one pool.

    INVARIANT: somebody waits only while ``max_workers`` are busy. So a worker that comes free goes
    to whoever has waited longest, and a new request never overtakes one.
    """

    def __init__(
        self,
        limits: PoolLimits,
        clock: Callable[[], float],
        make_place: Callable[[], Any] = lambda: None,
    ) -> None:
        """Begin with no workers. ``limits`` are complete; ``clock`` gives monotonic seconds."""
        self.limits: Any = limits  # every field of it is set
        self._clock, self._make_place = clock, make_place
        self.busy: list[Worker] = []
        self.idle: list[Worker] = []
        """The one used last comes last, and is used next: so those not needed stay idle."""
        self._waiting: deque[Ticket] = deque()
        self.closed = False
        self._started = 0
        self._recycled: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self.memory_measured = True

    # --- requests -----------------------------------------------------------------------------

    def ask(self, signal: Any = None) -> Ticket:
        """Take a request; its ticket has a worker already, or waits.

        Raises:
            ConfigError: the pool is closed.
            PoolRefused: too many wait.
        """
        if self.closed:
            raise ConfigError("the pool is closed; make a new one")
        limits = self.limits
        ticket = Ticket(self._clock() + limits.queue_timeout, signal)
        if len(self.busy) < limits.max_workers:
            self._grant(ticket, self._next_worker())
        elif len(self._waiting) >= limits.max_queue_size:
            raise self._refusal("full")
        else:
            self._waiting.append(ticket)
        return ticket

    def expire(self, ticket: Ticket) -> None:
        """End a ticket that has waited too long; one that has a worker after all keeps it."""
        if ticket.worker is None and not ticket.ended:
            self._waiting.remove(ticket)
            self._refuse(ticket, "timeout")

    def leave(self, ticket: Ticket, runs: int = 0, grown: int | None = None) -> Orders:
        """End a ticket, in whatever state it is; its worker goes to the next one.

        ``runs`` is how many programs it has had run, ``grown`` the bytes its pair has grown by.
        """
        orders = Orders()
        if ticket.ended:
            return orders
        ticket.ended = True
        worker = ticket.worker
        if worker is None:
            self._waiting.remove(ticket)
            return orders
        self.busy.remove(worker)
        self._after_runs(worker, runs, grown)
        if self._waiting:
            self._grant(ticket := self._waiting.popleft(), worker)
            orders.wake.append(ticket)
        else:
            self._rest(worker, orders)
        return orders

    # --- workers ------------------------------------------------------------------------------

    def warm_up(self) -> Orders:
        """Have ``min_workers`` ready."""
        orders = Orders()
        while not self.closed and len(self.busy) + len(self.idle) < self.limits.min_workers:
            self._rest(Worker(self._make_place()), orders)
        return orders

    def begun(self, worker: Worker) -> None:
        """Take note of a new pair."""
        worker.cold, worker.runs = False, 0
        self._started += 1

    def recycled(self, worker: Worker, why: Recycling) -> None:
        """Take note that a worker's pair was ended, or has to be before the next run."""
        if not worker.cold:
            worker.cold = True
            self._recycled[why] += 1

    def due(self) -> float | None:
        """Return when there is next something to ``tick`` for."""
        if not self._spare:
            return None
        return float(self.idle[0].idle_since + self.limits.idle_timeout)

    def tick(self) -> Orders:
        """End workers that nobody has needed for long."""
        orders = Orders()
        while (due := self.due()) is not None and due <= self._clock():
            worker = self.idle.pop(0)
            self.recycled(worker, "idle")
            orders.end.append(worker)
        return orders

    def close(self) -> Orders:
        """Refuse who waits, and all that comes; workers that are busy are left to the driver."""
        self.closed = True
        orders = Orders(wake=list(self._waiting), end=list(self.idle))
        for ticket in orders.wake:
            self._refuse(ticket, "closed")
        self._waiting.clear()
        self.idle.clear()
        return orders

    @property
    def stats(self) -> PoolStats:
        """The pool at this moment."""
        return PoolStats(
            active=len(self.busy),
            idle=len(self.idle),
            queued=len(self._waiting),
            started=self._started,
            recycled=dict(self._recycled),
            refused=dict(self._refused),
            memory_measured=self.memory_measured,
        )

    @property
    def _spare(self) -> bool:
        return bool(self.idle) and len(self.busy) + len(self.idle) > self.limits.min_workers

    def _next_worker(self) -> Worker:
        return self.idle.pop() if self.idle else Worker(self._make_place())

    def _grant(self, ticket: Ticket, worker: Worker) -> None:
        ticket.worker = worker
        self.busy.append(worker)

    def _rest(self, worker: Worker, orders: Orders) -> None:
        if self.closed:
            orders.end.append(worker)
            return
        worker.idle_since = self._clock()
        self.idle.append(worker)
        if worker.cold:
            orders.warm.append(worker)

    def _after_runs(self, worker: Worker, runs: int, grown: int | None) -> None:
        worker.runs += runs
        if grown is not None and grown > self.limits.memory_limit_per_worker:
            self.recycled(worker, "memory")
        elif worker.runs >= self.limits.max_executions_per_worker:
            self.recycled(worker, "executions")

    # --- refusals -----------------------------------------------------------------------------

    def _refuse(self, ticket: Ticket, reason: RefusalReason) -> None:
        ticket.ended = True
        ticket.refusal = self._refusal(reason)

    def _refusal(self, reason: RefusalReason) -> PoolRefused:
        self._refused[reason] += 1
        if reason == "closed":
            return PoolRefused(reason, "the pool was closed while the request waited; nothing ran")
        limits, name = self.limits, "max_queue_size" if reason == "full" else "queue_timeout"
        why = f"{len(self._waiting)} requests wait already"
        if reason == "timeout":
            why = f"none came free within {limits.queue_timeout:g} s"
        return PoolRefused(
            reason,
            f"all workers are busy and {why}; send it again later, or raise "
            f"max_workers ({limits.max_workers}) or {name} ({getattr(limits, name):g})",
        )
