from __future__ import annotations

from typing import Any

import pytest

from doublevm.barriers.rate import RateBarrier
from doublevm.monitor import Hold
from tests.barriers.cases import ALLOWED, Denial, Harmless, Setting, Step, Table, judge

RATE = "rate/max_operations_per_second"


def limit(most: int, **options: Any) -> Setting:
    return Setting(
        options={
            "max_operations_per_second": most,
            "disabled_patterns": ("RAPID_ENUMERATION",),
            **options,
        }
    )


def at(*times: float, last: str = ALLOWED) -> list[Step]:
    steps = [Step("note", at=time) for time in times]
    return [*steps[:-1], Step("note", at=times[-1], expect=last)]


def refused(id_: str, most: int, steps: list[Step], twin: list[Step]) -> Denial:
    return Denial(
        id=id_,
        on=limit(most),
        steps=steps,
        off={"max_operations_per_second": 10**6},
        twin=twin,
    )


class TestTable(Table):
    denials = (
        refused("at-once", 2, at(0, 0, 0, last=RATE), at(0, 0)),
        refused("within-a-second", 2, at(0, 0.5, 0.75, last=RATE), at(0, 0.5, 1.5)),
        refused("just-before", 1, at(0, 0.999, last=RATE), at(0, 1.0)),
        refused("one-a-second", 1, at(0, 1, 2, 2.5, last=RATE), at(0, 1, 2, 3)),
        refused("sliding", 2, at(0.75, 0.875, 1.5, last=RATE), at(0.75, 0.875, 1.75)),
        refused(
            "other-names-count",
            2,
            [Step("a"), Step("b"), Step("c", expect=RATE)],
            [Step("a"), Step("b")],
        ),
        refused("hundred", 100, at(*[0.0] * 101, last=RATE), at(*[0.0] * 100)),
        refused("epoch", 1, at(1.7e9, 1.7e9 + 0.75, last=RATE), at(1.7e9, 1.7e9 + 1)),
    )
    harmless = (
        Harmless("steady", at(*(i / 4 for i in range(100))), limit(4)),
        Harmless("a-long-gap", at(0, 0, 1000, 1000), limit(2)),
    )


def test_refused_ones_do_not_extend_the_wait() -> None:
    monitor = limit(1).monitor()
    assert judge(monitor, Step("note", at=0.0)) == ALLOWED
    for i in range(1, 16):
        assert judge(monitor, Step("note", at=i / 16)) == RATE
    assert judge(monitor, Step("note", at=1.0)) == ALLOWED


def test_operations_denied_by_others_do_not_count() -> None:
    monitor = limit(1, blocked_operation_patterns=("x",)).monitor()
    for _ in range(20):
        assert judge(monitor, Step("x")) == "names/blocked"
        assert judge(monitor, Step("bulk:get")) == "sequence/BULK_OPERATION"
    assert judge(monitor, Step("note")) == ALLOWED
    assert judge(monitor, Step("note")) == RATE


def test_the_denial_says_when_to_try_again() -> None:
    barrier = RateBarrier(2)
    barrier.accept(10.0)
    barrier.accept(10.25)
    assert barrier.wait(10.5) == 0.5
    denial = barrier.judge(10.5)
    assert denial is not None
    assert denial.reason == "more than 2 operations a second; try again in 0.500 s"
    assert barrier.judge(11.0) is None
    assert barrier.wait(11.0) == barrier.wait(12.0) == 0.0


def test_rates_span_runs() -> None:
    monitor = limit(1).monitor()
    assert judge(monitor, Step("note")) == ALLOWED
    monitor.begin_run(100)
    assert judge(monitor, Step("note")) == RATE


@pytest.mark.parametrize("most", [1, 2, 5])
def test_waiting_holds_and_then_accepts(most: int) -> None:
    monitor = limit(most, on_rate_limit="wait").monitor()
    accepted, now = [], 0.0
    for _ in range(4 * most):
        attempt = monitor.attempt("note", (), {})
        while isinstance(verdict := monitor.decide(attempt, now), Hold):
            assert verdict.seconds > 0
            now += verdict.seconds
        assert verdict.allowed
        accepted.append(now)
    assert accepted == [float(i // most) for i in range(4 * most)]


def test_what_is_held_is_neither_remembered_nor_counted_again() -> None:
    monitor = limit(1, on_rate_limit="wait").monitor()
    assert judge(monitor, Step("note")) == ALLOWED
    attempt = monitor.attempt("note", (), {})
    for i in range(10):
        assert monitor.decide(attempt, i / 16) == Hold(1.0 - i / 16)
    assert len(monitor.history) == 1
    assert monitor.decide(attempt, 1.0).allowed  # type: ignore[union-attr]  # no Hold
    assert [entry.timestamp for entry in monitor.history] == [0.0, 1.0]


def test_what_is_objected_to_is_not_held() -> None:
    monitor = limit(1, on_rate_limit="wait", blocked_operation_patterns=("x",)).monitor()
    assert judge(monitor, Step("note")) == ALLOWED
    assert judge(monitor, Step("x")) == "names/blocked"
