from __future__ import annotations

from typing import Any

import pytest

from doublevm.barriers.sequence import RapidEnumeration
from doublevm.operation import Operation
from tests.barriers.cases import Denial, Harmless, Step, Table, answers
from tests.barriers.sequences import OFF, only

ID = "RAPID_ENUMERATION"
RAPID = f"sequence/{ID}"


def times(count: int, name: str = "user:show", start: float = 0.0, step: float = 0.0) -> list[Step]:
    return [Step(name, at=start + i * step) for i in range(count)]


def one_more(after: list[Step], at: float | None = None) -> list[Step]:
    last = after[-1]
    return [*after, Step(last.name, at=last.at if at is None else at, expect=RAPID)]


def rapid(id_: str, steps: list[Step], twin: list[Step], **options: Any) -> Denial:
    return Denial(id=id_, on=only(ID, **options), steps=steps, twin=twin, off=OFF)


OTHERS = [step for i in range(10) for step in (Step("a"), Step("b"), Step(f"c{i}"))]


class TestTable(Table):
    denials = (
        rapid("eleven-at-once", one_more(times(10)), times(10)),
        rapid("just-within-5s", one_more(times(10), at=4.984375), [*times(10), *times(1, start=5)]),
        rapid("one-in-half-a-second", one_more(times(10, step=0.5)), times(30, step=0.5 + 1 / 64)),
        rapid("others-between", [*OTHERS, Step("a", expect=RAPID)], [*OTHERS, Step("c10")]),
        rapid(
            "threshold-2",
            one_more(times(2)),
            times(2),
            rapid_enumeration_threshold=2,
        ),
        rapid(
            "threshold-0",
            [Step("a", expect=RAPID)],
            [Step("b")],
            rapid_enumeration_threshold=0,
            rapid_enumeration_overrides={"b": 1},
        ),
        rapid(
            "window-60",
            one_more(times(10, step=5), at=59.984375),
            [*times(10, step=5), *times(1, start=60)],
            rapid_enumeration_window=60.0,
        ),
        rapid(
            "window-below-a-second",
            one_more(times(10), at=0.484375),
            [*times(10), *times(1, start=0.5)],
            rapid_enumeration_window=0.5,
        ),
        rapid(
            "window-longer-than-the-sequences",
            one_more(times(10), at=4.0),
            [*times(10), *times(1, start=5)],
            sequence_window=1.0,
        ),
        rapid(
            "override-up",
            one_more(times(50, "users:list")),
            times(50, "users:list"),
            rapid_enumeration_overrides={"users:list": 50},
        ),
        rapid(
            "override-down",
            one_more(times(1, "users:show")),
            [Step("users:show"), *times(10, "users:list")],
            rapid_enumeration_overrides={"users:show": 1},
        ),
        rapid(
            "override-0",
            [Step("users:show", expect=RAPID)],
            [Step("users:list")],
            rapid_enumeration_overrides={"users:show": 0},
        ),
        rapid(
            "override-of-another",
            one_more(times(10)),
            times(10),
            rapid_enumeration_overrides={"user:shows": 50},
        ),
    )
    harmless = (
        Harmless("spread-over-names", [Step(f"user:{i}") for i in range(99)], only(ID)),
        Harmless("case-makes-another-name", [*times(10, "a"), *times(10, "A")], only(ID)),
        Harmless("40-of-50", times(40, step=0.1), only(ID, rapid_enumeration_threshold=50)),
    )


def test_denied_attempts_are_counted() -> None:
    setting = only(ID, blocked_operation_patterns=("x",), max_operations_per_second=4)
    # By a name, by the rate, and by this pattern itself.
    assert answers(setting, times(12, "x")) == ["names/blocked"] * 12
    rates = answers(setting, times(11, "a"))
    assert rates == ["allowed"] * 4 + ["rate/max_operations_per_second"] * 7
    late = answers(setting, [*times(11, "a"), *times(5, "a", start=1.0)])
    assert late[11:] == [RAPID] * 5


def test_who_goes_on_stays_denied_and_who_pauses_does_not() -> None:
    going_on = [*times(10), *times(40, start=1, step=1)]
    assert answers(only(ID), going_on)[10:14] == [RAPID] * 4
    # The deque holds ten attempts, one a second: at the tenth of them five are in the window.
    assert answers(only(ID), [*times(10), *times(1, start=5)])[-1] == "allowed"


def test_the_reason_says_what_was_exceeded() -> None:
    pattern = RapidEnumeration(2.5, 3, {})
    for _ in range(3):
        pattern.note("a", 0.0, allowed=True)
    assert pattern.detect(Operation("a", {}), 0.0) == "it was called more than 3 times in 2.5 s"


@pytest.mark.parametrize("threshold", [0, 1, 3])
def test_names_not_used_lately_are_forgotten(threshold: int) -> None:
    pattern = RapidEnumeration(5.0, threshold, {})
    for i in range(1000):
        pattern.note(f"name{i}", i / 64, allowed=True)
    assert len(pattern._attempts) == 5 * 64
    pattern.note("last", 100.0, allowed=False)
    assert list(pattern._attempts) == ["last"]


def test_a_name_in_use_is_not_forgotten_with_older_ones() -> None:
    pattern = RapidEnumeration(5.0, 3, {})
    for name, now in (("a", 0.0), ("b", 1.0), ("a", 4.0), ("c", 6.0)):
        pattern.note(name, now, allowed=True)
    assert list(pattern._attempts) == ["a", "c"]
    assert list(pattern._attempts["a"]) == [0.0, 4.0]
