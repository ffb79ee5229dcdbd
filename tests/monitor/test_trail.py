"""The host's trail: what was attempted, sealed when a run ends."""

from __future__ import annotations

from typing import Any

import pytest

from doublevm.audit import GENESIS, verify
from doublevm.host.trail import Open, RunEndedError, Trail
from doublevm.verdict import Allow, Deny
from doublevm.wire.codec import decode, encode

NO = Deny("names", "blocked", "its name is blocked")


def add(trail: Trail, run: int = 1, at: float = 1.0, verdict: Any = None, **args: Any) -> int:
    return trail.add(run, Open(at, "a:b", args, verdict or Allow(), encode(args)))


def outcomes(trail: Trail) -> list[str]:
    return [record.outcome for record in trail.records]


def test_places_and_numbers() -> None:
    trail = Trail()
    assert [add(trail), add(trail, verdict=NO), add(trail)] == [0, 1, 2]
    assert [record.number for record in trail.records] == [1, 2, 3]
    assert len(trail) == 3
    assert outcomes(trail) == ["pending", "denied", "pending"]
    assert trail.since(1) == trail.records[1:]
    assert trail.since(3) == ()


def test_nothing_is_sealed_before_the_run_ends() -> None:
    trail = Trail()
    place = add(trail, x=1)
    assert trail.records[0].hash == trail.records[0].previous_hash == ""
    trail.ended(place, "returned", 0.25)
    record = trail.records[0]
    assert (record.outcome, record.duration, record.arguments) == ("returned", 0.25, {"x": 1})
    assert record.verdict == Allow()
    assert (record.run, record.timestamp, record.operation) == (1, 1.0, "a:b")


def test_sealing_chains_over_runs() -> None:
    trail = Trail()
    for run in (1, 2, 3):
        for _ in range(run):
            trail.ended(add(trail, run), "returned", 0.5)
        trail.seal(run)
        assert verify(trail.records, last_hash=trail.records[-1].hash) is None
    assert trail.records[0].previous_hash == GENESIS
    hashes = [record.hash for record in trail.records]
    assert [record.previous_hash for record in trail.records[1:]] == hashes[:-1]


def test_what_was_sealed_stays_as_it_is() -> None:
    trail = Trail()
    add(trail, 1)
    trail.seal(1)
    before = trail.records
    add(trail, 2)
    trail.seal(2)
    trail.seal(2)
    assert trail.records[:1] == before
    assert verify(trail.records) is None


def test_what_is_pending_at_the_end_was_abandoned() -> None:
    trail = Trail()
    places = [add(trail), add(trail), add(trail, verdict=NO), add(trail)]
    trail.ended(places[1], "raised", 0.5)
    trail.seal(1)
    assert outcomes(trail) == ["abandoned", "raised", "denied", "abandoned"]


def test_late_outcomes_change_nothing() -> None:
    trail = Trail()
    first = add(trail, 1)
    trail.seal(1)
    second = add(trail, 2)
    trail.ended(first, "returned", 9.0)
    trail.ended(second, "returned", 0.5)
    trail.seal(2)
    assert outcomes(trail) == ["abandoned", "returned"]
    assert verify(trail.records) is None


def test_late_operations_are_not_begun() -> None:
    trail = Trail()
    add(trail, 2)
    trail.seal(2)
    for run in (1, 2):
        with pytest.raises(RunEndedError):
            add(trail, run)
    trail.seal(1)
    with pytest.raises(RunEndedError):
        add(trail, 2)
    assert add(trail, 3) == 1
    assert len(trail) == 2


def test_what_a_new_parent_has_to_know() -> None:
    trail = Trail()
    add(trail, at=10.0)
    add(trail, at=20.0, x=[1])
    add(trail, at=30.0, verdict=NO)
    found = trail.remembered(10.0)
    assert [(each.name, each.timestamp, each.allowed) for each in found] == [
        ("a:b", 20.0, True),
        ("a:b", 30.0, False),
    ]
    assert [decode(each.args) for each in found] == [{"x": [1]}, {}]
    assert len(trail.remembered(9.0)) == 3
    assert trail.remembered(30.0) == []
    assert Trail().remembered(0.0) == []


def test_what_is_remembered_is_in_order_though_the_clock_was_set_back() -> None:
    trail = Trail()
    for at in (100.0, 50.0, 60.0):
        add(trail, at=at)
    assert [each.timestamp for each in trail.remembered(10.0)] == [50.0, 50.0, 60.0]


def test_the_time_of_judging_is_what_is_remembered() -> None:
    """The host learns of it a moment later, and windows have edges."""
    trail = Trail()
    trail.add(1, Open(20.5, "a:b", {}, Allow(), encode({}), 20.25))
    add(trail, at=21.0)
    assert [trail.judged(place) for place in (0, 1)] == [20.25, 21.0]
    trail.seal(1)
    assert [each.timestamp for each in trail.remembered(20.0)] == [20.25, 21.0]
    assert [each.timestamp for each in trail.remembered(20.25)] == [21.0]


def score(trail: Trail, run: int = 1, at: float = 1.0, verdict: Any = None) -> None:
    trail.scored(run, at, {"score": 5}, verdict or Allow(), 0.25)


@pytest.mark.parametrize("verdict", [Allow(), Deny("scoring", "block_threshold", "too much")])
def test_a_score_is_in_the_chain(verdict: Any) -> None:
    trail = Trail()
    score(trail, verdict=verdict)
    add(trail)
    trail.seal(1)
    first, second = trail.records
    assert (first.operation, first.arguments, first.verdict) == ("", {"score": 5}, verdict)
    assert (first.outcome, first.duration) == ("scored", 0.25)
    assert second.outcome == "abandoned"
    assert verify(trail.records, first=1, last_hash=second.hash) is None


def test_a_score_is_nothing_that_a_monitor_has_to_remember() -> None:
    trail = Trail()
    add(trail, at=5.0)
    score(trail, at=6.0)
    assert [entry.name for entry in trail.remembered(0.0)] == ["a:b"]


def test_a_score_that_comes_too_late_is_not_recorded() -> None:
    trail = Trail()
    trail.seal(1)
    with pytest.raises(RunEndedError):
        score(trail)
    assert not trail.records
