"""What is asked of a trail: patterns, verdicts, outcomes, the newest; the same of either kind."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doublevm.audit import Filter, JsonlSink, StoredOperation, read_trail
from doublevm.host.sinks import queries
from doublevm.host.sinks.entries import Tried
from doublevm.verdict import Deny, WouldDeny
from tests.audit.making import attempt, ended, opened

DENIED = Deny("names", "unregistered", "why")
ROWS: list[tuple[int, dict[str, Any], str]] = [
    (1, {}, "returned"),
    (2, {"operation": "users:drop", "verdict": DENIED}, ""),
    (3, {"operation": "mail:send"}, "raised"),
    (4, {"operation": "users:get", "enclave": "ef" * 8}, ""),
    (5, {"operation": "users:[get]", "verdict": DENIED}, ""),
    (6, {"operation": "users:get", "run": 2}, "abandoned"),
    (7, {"operation": "", "run": 3, "verdict": Deny("scoring", "failed", "why")}, "scored"),
    (8, {"operation": "rm", "run": 3, "verdict": Tried(WouldDeny("rate", "max", "why"))}, "raised"),
]
ASKED: list[tuple[Filter, list[int]]] = [
    (Filter(operation="users:*"), [1, 2, 4, 5, 6]),
    (Filter(operation="*:[gs]e?*"), [3, 4, 6]),
    (Filter(operation="*:[!gs]*"), [1, 2, 5]),
    (Filter(operation=""), [7]),
    (Filter(operation="users:[[]get]"), [5]),
    (Filter(operation="USERS:*"), []),
    (Filter(operation="users:*", verdict="deny"), [2, 5]),
    (Filter(operation="users:*", rule="names/unregistered", since=1003.0), [5]),
    (Filter(operation="users:*", enclave="e" * 16), [1, 2, 5, 6]),
    (Filter(verdict="allow"), [1, 3, 4, 6]),
    (Filter(verdict="would_deny"), [8]),
    (Filter(verdict="would_deny", operation="r*"), [8]),
    (Filter(rule="rate/max"), [8]),
    (Filter(rule="rate/max", verdict="deny"), []),
    (Filter(allowed=True), [1, 3, 4, 6, 8]),
    (Filter(allowed=False), [2, 5, 7]),
    (Filter(verdict="deny", allowed=True), []),
    (Filter(outcome="returned"), [1]),
    (Filter(outcome="raised"), [3, 8]),
    (Filter(outcome="abandoned"), [6]),
    (Filter(outcome="denied"), [2, 5]),
    (Filter(outcome="scored"), [7]),
    (Filter(outcome="unknown"), [4]),
    (Filter(outcome="unknown", operation="users:*"), [4]),
    (Filter(enclave="ef"), [4]),
    (Filter(enclave="e"), [1, 2, 3, 4, 5, 6, 7, 8]),
    (Filter(enclave="ee"), [1, 2, 3, 5, 6, 7, 8]),
    (Filter(seq=3), [2]),
    (Filter(seq=3, verdict="allow"), []),
]


def kept(kind: str, folder: Path) -> Path:
    with opened(kind, folder) as sink:
        sink.write([attempt(number, **changes) for number, changes, _ in ROWS])
        for number, changes, outcome in ROWS:
            if outcome:
                sink.write([ended(number, outcome=outcome, **without(changes))])
    return sink.path


def without(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if name in ("run", "enclave")}


@pytest.mark.parametrize(("wanted", "numbers"), ASKED)
def test_what_is_found(tmp_path: Path, kind: str, wanted: Filter, numbers: list[int]) -> None:
    reader = read_trail(kept(kind, tmp_path))
    found = list(reader.operations(wanted))
    assert [each.number for each in found] == numbers
    assert list(reader.operations(wanted, last=2)) == found[-2:]
    in_any_order = reader.operations(wanted, ordered=False)
    assert sorted(in_any_order, key=lambda each: each.seq) == found


def test_many_names_fit_a_pattern(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for by one index each, or all by one: the answer is the same."""
    reader = read_trail(kept(kind, tmp_path))
    wanted = Filter(operation="*")
    apart = [each.number for each in reader.operations(wanted, last=4)]
    monkeypatch.setattr(queries, "MOST_NAMES", 1)
    assert [each.number for each in reader.operations(wanted, last=4)] == apart == [5, 6, 7, 8]


def test_one_that_has_not_ended_keeps_others_back_only_if_the_order_matters(
    tmp_path: Path,
) -> None:
    with JsonlSink(tmp_path / "trail.jsonl") as sink:
        sink.write([attempt(1), attempt(2), ended(2), attempt(3), ended(3), ended(1)])

    def numbers(*, ordered: bool) -> list[int]:
        found = read_trail(sink.path).operations(ordered=ordered)
        return [each.number for each in found]

    assert numbers(ordered=True) == [1, 2, 3]
    assert numbers(ordered=False) == [2, 3, 1]


def test_a_handler_may_end_in_another_file_than_it_began(tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    with JsonlSink(path, max_bytes=1) as sink:
        sink.write([attempt(1)])
        sink.write([attempt(2)])
        sink.write([ended(1)])
    assert [each.outcome for each in operations(path)] == ["returned", "unknown"]


def test_nothing_ends_after_its_process(tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    for _ in range(2):
        with JsonlSink(path) as sink:
            sink.write([attempt(1)])
            sink.write([ended(2)])
    assert [(each.number, each.outcome) for each in operations(path)] == [(1, "unknown")] * 2


def operations(path: Path) -> list[StoredOperation]:
    return list(read_trail(path).operations())


@given(st.text(max_size=6, alphabet="ab:[]*?!"), st.text(max_size=4, alphabet="ab:[]*?!-"))
def test_patterns_mean_the_same_in_both_kinds(name: str, pattern: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fitting = [found(kind, Path(folder), name, pattern) for kind in ("jsonl", "sqlite")]
    assert fitting[0] == fitting[1]


def found(kind: str, folder: Path, name: str, pattern: str) -> int:
    with opened(kind, folder) as sink:
        sink.write([attempt(1, operation=name, verdict=DENIED)])
    path = folder / f"trail.{kind}"
    return len(list(read_trail(path).operations(Filter(operation=pattern))))
