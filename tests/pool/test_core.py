"""The pool's logic alone: whatever happens in whatever order, its promises hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doublevm.errors import ConfigError, PoolRefused
from doublevm.host.pool_core import PoolCore
from doublevm.pool_limits import PoolLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.host.pool_values import Orders, Ticket, Worker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def make(clock: Callable[[], float] | None = None, **limits: Any) -> PoolCore:
    options: dict[str, Any] = {
        "min_workers": 1,
        "max_workers": 2,
        "memory_limit_per_worker": 1000,
        "max_executions_per_worker": 3,
        "max_queue_size": 2,
        "queue_timeout": 5.0,
        "idle_timeout": 60.0,
        "max_messages_per_second": 100,
        "graceful_shutdown_timeout": 1.0,
        **limits,
    }
    return PoolCore(PoolLimits(**options), clock or Clock())


def begin(core: PoolCore, ticket: Ticket) -> Worker:
    worker = ticket.worker
    assert worker is not None
    if worker.cold:
        core.begun(worker)
    return worker


def test_a_worker_goes_to_who_has_waited_longest() -> None:
    core = make()
    first, second = core.ask(), core.ask()
    third, fourth = core.ask(), core.ask()
    assert first.worker is not second.worker
    assert (third.worker, fourth.worker) == (None, None)
    worker = second.worker
    assert core.leave(second).wake == [third]
    assert third.worker is worker
    assert core.leave(first).wake == [fourth]


def test_the_queue_is_bounded() -> None:
    core = make()
    tickets = [core.ask() for _ in range(4)]
    with pytest.raises(PoolRefused) as refused:
        core.ask()
    assert refused.value.reason == "full"
    assert str(refused.value) == (
        "all workers are busy and 2 requests wait already; send it again later, or raise "
        "max_workers (2) or max_queue_size (2)"
    )
    core.leave(tickets[3])
    core.ask()
    assert core.stats.refused == {"full": 1}


def test_a_queue_of_none() -> None:
    core = make(max_queue_size=0, max_workers=1)
    core.ask()
    with pytest.raises(PoolRefused):
        core.ask()


def test_who_waits_too_long_is_refused() -> None:
    core = make(max_workers=1)
    first, second = core.ask(), core.ask()
    core.expire(second)
    assert second.refusal is not None
    assert second.refusal.reason == "timeout"
    assert str(second.refusal) == (
        "all workers are busy and none came free within 5 s; send it again later, or raise "
        "max_workers (1) or queue_timeout (5)"
    )
    assert core.leave(first).wake == []
    assert core.stats.refused == {"timeout": 1}


def test_a_worker_that_came_at_the_last_moment_is_kept() -> None:
    core = make(max_workers=1)
    first, second = core.ask(), core.ask()
    core.leave(first)
    core.expire(second)
    assert second.refusal is None
    assert second.worker is not None


def test_the_one_used_last_is_used_next() -> None:
    core = make()
    first, second = core.ask(), core.ask()
    last = second.worker
    core.leave(first)
    core.leave(second)
    assert core.ask().worker is last


def test_a_worker_is_replaced_after_so_many_runs() -> None:
    core = make()
    ticket = core.ask()
    worker = begin(core, ticket)
    assert core.leave(ticket, runs=1).warm == []
    ticket = core.ask()
    assert begin(core, ticket) is worker
    assert core.leave(ticket, runs=2).warm == [worker]
    assert worker.cold
    assert core.stats.recycled == {"executions": 1}
    core.begun(worker)
    assert worker.runs == 0
    assert core.stats.started == 2


def test_a_worker_is_replaced_when_it_has_grown() -> None:
    core = make()
    for grown, recycled in ((None, {}), (1000, {}), (1001, {"memory": 1})):
        ticket = core.ask()
        begin(core, ticket)
        core.leave(ticket, runs=0, grown=grown)
        assert core.stats.recycled == recycled


def test_a_pair_that_was_ended_is_counted_once() -> None:
    core = make()
    ticket = core.ask()
    worker = begin(core, ticket)
    core.recycled(worker, "flood")
    core.recycled(worker, "failed")
    assert core.leave(ticket, runs=5, grown=5000).warm == [worker]
    assert core.stats.recycled == {"flood": 1}


def test_workers_too_many_are_ended_after_a_while() -> None:
    clock = Clock()
    core = make(clock, max_workers=3)
    tickets = [core.ask() for _ in range(3)]
    workers = [begin(core, ticket) for ticket in tickets]
    assert core.due() is None
    for ticket in tickets:
        core.leave(ticket)
        clock.now += 10
    assert core.due() == 160.0
    assert core.tick().end == []
    clock.now = 170.0
    assert core.tick().end == workers[:2]
    assert core.due() is None
    assert core.stats.recycled == {"idle": 2}


def test_the_first_workers_are_started_ahead() -> None:
    core = make(min_workers=2)
    assert len(core.warm_up().warm) == 2
    assert core.warm_up().warm == []
    assert core.stats.idle == 2


def test_closing() -> None:
    core = make()
    tickets = [core.ask() for _ in range(3)]
    core.leave(tickets[0])
    core.leave(tickets[2])
    waiting = [core.ask() for _ in range(2)][-1]
    assert waiting.worker is None
    orders = core.close()
    assert orders.wake == [waiting]
    assert waiting.refusal is not None
    assert waiting.refusal.reason == "closed"
    with pytest.raises(ConfigError, match="the pool is closed; make a new one"):
        core.ask()
    assert core.leave(waiting).end == []
    assert core.leave(tickets[1]).end == [tickets[1].worker]
    assert core.warm_up().warm == []


OPERATIONS = st.sampled_from(["ask", "ask", "ask", "leave", "leave", "fail", "expire", "tick"])


@settings(max_examples=300)
@given(
    steps=st.lists(st.tuples(OPERATIONS, st.integers(0, 30), st.integers(0, 40)), max_size=80),
    min_workers=st.integers(0, 2),
    max_workers=st.integers(2, 4),
    max_queue_size=st.integers(0, 4),
    closes=st.booleans(),
)
def test_any_order_of_events(
    steps: list[tuple[str, int, int]],
    min_workers: int,
    max_workers: int,
    max_queue_size: int,
    *,
    closes: bool,
) -> None:
    clock = Clock()
    sizes = {"min_workers": min_workers, "max_workers": max_workers}
    core = make(clock, **sizes, max_queue_size=max_queue_size)
    world = World(core, max_queue_size)
    for operation, which, seconds in steps:
        clock.now += seconds
        world.step(operation, which)
        stats = core.stats
        assert stats.active + stats.idle <= max_workers
        assert stats.queued == len(world.waiting) <= max_queue_size
        assert stats.active == len(world.served)
        assert not world.waiting or stats.active == max_workers
    if closes:
        world.take(core.close())
    for ticket in [*world.served, *world.waiting]:
        world.take(core.leave(ticket))
    assert all(ticket.ended for ticket in world.tickets)
    assert core.busy == []
    if closes:
        assert core.idle == []


class World:
    """Who was served in which order, kept beside the pool's own books."""

    def __init__(self, core: PoolCore, max_queue_size: int) -> None:
        self.core, self._max_queue_size = core, max_queue_size
        self.tickets: list[Ticket] = []
        self.served: list[Ticket] = []
        self.waiting: list[Ticket] = []

    def step(self, operation: str, which: int) -> None:
        if operation == "ask":
            self._ask()
        elif operation == "tick":
            assert all(worker not in self.core.busy for worker in self.core.tick().end)
        elif operation == "expire" and self.waiting:
            self.core.expire(ticket := self.waiting.pop(which % len(self.waiting)))
            assert ticket.refusal is not None
        elif operation in ("leave", "fail") and self.served:
            ticket = self.served.pop(which % len(self.served))
            worker = begin(self.core, ticket)
            if operation == "fail":
                self.core.recycled(worker, "failed")
            self.take(self.core.leave(ticket, runs=1))
            self.core.leave(ticket, runs=1)  # in vain

    def take(self, orders: Orders) -> None:
        """Compare who is woken with who is next."""
        for ticket in orders.wake:
            assert ticket is self.waiting.pop(0)
            if ticket.refusal is None:
                assert ticket.worker is not None
                self.served.append(ticket)

    def _ask(self) -> None:
        try:
            ticket = self.core.ask()
        except PoolRefused:
            assert len(self.waiting) == self._max_queue_size
            return
        self.tickets.append(ticket)
        (self.waiting if ticket.worker is None else self.served).append(ticket)
