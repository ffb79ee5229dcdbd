"""The chain of audit records: every change in it is found."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import pickle
import subprocess
import sys
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doublevm.audit import GENESIS, AuditRecord, ChainFault, digest, verify
from doublevm.launch import package_folders
from doublevm.verdict import Allow, Deny
from doublevm.wire.codec import decode, encode
from tests.monitor.crossing import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBERS = st.one_of(st.integers(-3, 2**70), st.floats())

TEXT = st.sampled_from(("", "a:b", "\ud800"))
VERDICTS = st.one_of(st.just(Allow()), st.builds(Deny, TEXT, TEXT, TEXT))
ARGUMENTS = st.sampled_from(({}, {"n": 1}, {"n": 1.0}, {"n": {2, 3}}, {"a": [b"x"], "b": None}))
OUTCOMES = st.sampled_from(("returned", "raised", "denied", "abandoned"))
LINES = st.sampled_from((None, 1, 2))
TIMES = st.sampled_from((0.0, 0.5, 1.7e9))


def record(number: int = 1, **changes: Any) -> AuditRecord:
    made = AuditRecord(number, 1, 100.0 + number, "users:list", {"n": 1}, Allow(), "returned", 0.5)
    return replace(made, **changes)


def chain(records: Sequence[AuditRecord]) -> list[AuditRecord]:
    sealed: list[AuditRecord] = []
    for each in records:
        sealed.append(each.sealed(sealed[-1].hash if sealed else GENESIS))
    return sealed


def chains(least: int = 1) -> st.SearchStrategy[list[AuditRecord]]:
    made = st.builds(
        AuditRecord,
        number=st.just(0),
        run=st.integers(1, 5),
        timestamp=TIMES,
        operation=TEXT,
        arguments=ARGUMENTS,
        verdict=VERDICTS,
        outcome=OUTCOMES,
        duration=TIMES,
        line=LINES,
    )
    numbered = st.lists(made, min_size=least, max_size=4).map(
        lambda records: [replace(each, number=i + 1) for i, each in enumerate(records)]
    )
    return numbered.map(chain)


CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "number": st.integers(0, 10),
    "run": st.integers(1, 9),
    "timestamp": TIMES,
    "operation": TEXT,
    "arguments": ARGUMENTS,
    "verdict": VERDICTS,
    "outcome": st.sampled_from(("pending", "returned", "raised", "denied", "abandoned")),
    "duration": TIMES,
    "line": LINES,
    "previous_hash": st.sampled_from((GENESIS, "", "f" * 64)),
    "hash": st.sampled_from((GENESIS, "", "f" * 64)),
}


def test_every_field_is_changed_in_the_tests() -> None:
    assert list(CHANGES) == [field.name for field in fields(AuditRecord)]


@settings(deadline=None)
@given(chains(), st.data())
def test_what_was_sealed_is_right_and_so_is_every_part_of_it(
    records: list[AuditRecord], data: st.DataObject
) -> None:
    assert verify(records) is None
    assert verify(iter(records), last_hash=records[-1].hash) is None
    start = data.draw(st.integers(0, len(records) - 1))
    end = data.draw(st.integers(start, len(records)))
    assert verify(records[start:end]) is None
    assert verify(pickle.loads(pickle.dumps(records))) is None  # noqa: S301 - our own bytes
    assert verify(copy.deepcopy(records)) is None


@settings(deadline=None, max_examples=200)
@given(chains(), st.sampled_from(list(CHANGES)), st.data())
def test_a_changed_field_is_found(
    records: list[AuditRecord], field: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(records) - 1))
    value = data.draw(CHANGES[field])
    before = getattr(records[place], field)
    changed = [*records]
    changed[place] = replace(records[place], **{field: value})
    as_it_was = encode(before) == encode(value) if field == "arguments" else before == value
    fault = verify(changed)
    assert (fault is None) == as_it_was
    if fault is not None and field != "number":
        assert fault.number == place + 1


@settings(deadline=None)
@given(chains(least=2), st.data())
def test_removed_duplicated_and_reordered_ones_are_found(
    records: list[AuditRecord], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(records) - 2))
    without = records[:place] + records[place + 1 :]
    if place > 0:
        assert verify(without) == ChainFault(place + 1, f"record {place + 2} stands in its place")
    twice = [*records[: place + 1], *records[place:]]
    assert verify(twice) == ChainFault(place + 2, f"record {place + 1} stands in its place")
    swapped = [*records]
    swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    assert verify(swapped) is not None
    assert verify(records[:-1], last_hash=records[-1].hash) == ChainFault(
        len(records), "records are missing at the end"
    )


@settings(deadline=None)
@given(chains(least=2), chains(), st.data())
def test_an_inserted_one_is_found_however_well_it_is_made(
    records: list[AuditRecord], others: list[AuditRecord], data: st.DataObject
) -> None:
    place = data.draw(st.integers(1, len(records) - 1))
    forged = replace(others[0], number=place + 1).sealed(records[place - 1].hash)
    assert verify([*records[:place], forged, *records[place:]]) is not None
    renumbered = [replace(each, number=each.number + 1) for each in records[place:]]
    assert verify([*records[:place], forged, *renumbered]) is not None


@settings(deadline=None)
@given(chains(least=2), chains(least=2))
def test_the_beginning_of_one_chain_and_the_end_of_another_do_not_fit(
    records: list[AuditRecord], others: list[AuditRecord]
) -> None:
    if records[0].hash == others[0].hash:
        return
    expected = ChainFault(2, "it does not follow the record before it")
    assert verify([records[0], *others[1:]]) == expected


def test_the_first_record_follows_nothing() -> None:
    assert verify([record().sealed("f" * 64)]) == ChainFault(
        1, "it does not follow the record before it"
    )
    assert verify([record(2).sealed("f" * 64)]) is None


def test_what_is_not_sealed_is_called_that() -> None:
    problem = "it has not been sealed: its run has not ended"
    assert verify([record()]) == ChainFault(1, problem)
    assert verify([*chain([record()]), record(2)]) == ChainFault(2, problem)
    assert verify([replace(*chain([record()]), run=2)]) == ChainFault(1, "it was changed")


def test_nothing_at_all() -> None:
    assert verify([]) is None
    assert verify([], last_hash="f" * 64) == ChainFault(1, "records are missing at the end")


@settings(deadline=None)
@given(chains(least=2), st.data())
def test_removed_ones_at_either_end_are_found_by_who_knows_the_ends(
    records: list[AuditRecord], data: st.DataObject
) -> None:
    last_hash = records[-1].hash
    assert verify(records, first=1, last_hash=last_hash) is None
    start = data.draw(st.integers(1, len(records) - 1))
    end = data.draw(st.integers(0, len(records) - 1))
    rest, kept = records[start:], records[:end]
    assert verify(rest, last_hash=last_hash) is None
    assert verify(rest, first=start + 1) is None
    expected = ChainFault(1, f"record {start + 1} stands in its place")
    assert verify(rest, first=1, last_hash=last_hash) == expected
    assert verify(kept, first=1) is None
    fault = ChainFault(end + 1, "records are missing at the end")
    assert verify(kept, first=1, last_hash=last_hash) == fault


def test_where_records_have_to_begin() -> None:
    records = chain([record(1), record(2)])
    assert verify([], first=1) is None
    assert verify([], first=7, last_hash="f" * 64) == ChainFault(
        7, "records are missing at the end"
    )
    assert verify(records, first=2) == ChainFault(2, "record 1 stands in its place")


@settings(deadline=None)
@given(chains())
def test_records_are_the_same_after_a_trip_through_json(records: list[AuditRecord]) -> None:
    lines = [each.to_json() for each in records]
    assert not any("\n" in line for line in lines)
    again = [AuditRecord.from_json(line) for line in lines]
    assert again == records
    assert verify(again, first=1, last_hash=records[-1].hash) is None


@pytest.mark.parametrize("value", EXAMPLES, ids=lambda value: type(value).__name__)
def test_every_crossing_value_makes_the_trip_through_json(value: Any) -> None:
    sealed = record(arguments={"value": value}).sealed(GENESIS)
    again = AuditRecord.from_json(sealed.to_json())
    assert encode(dict(again.arguments)) == encode(dict(sealed.arguments))
    assert verify([again]) is None


def test_arguments_can_be_read_wherever_json_keeps_them() -> None:
    plain: dict[str, Any] = {"text": "Zoë", "n": [1, 2.5, True, None, {"a": {}}], "lone": "\ud800"}
    assert line_of(arguments=plain)["arguments"] == plain
    same: list[Any] = [1, True, 1.0, [1], {"1": 1}]
    for value in same:
        assert line_of(arguments={"a": value})["arguments"] == {"a": value}
    other: list[Any] = [b"1", (1,), {1}, {1: 1}, math.nan, math.inf, "\ud83d\ude00", 10**5000]
    for value in other:
        text = line_of(arguments={"a": value})["arguments"]
        assert text == encode({"a": value}).hex()


def test_a_line_of_json() -> None:
    denied = record(verdict=Deny("names", "blocked", "why"), outcome="denied").sealed(GENESIS)
    assert json.loads(denied.to_json()) == {
        "number": 1,
        "run": 1,
        "timestamp": 101.0,
        "operation": "users:list",
        "arguments": {"n": 1},
        "verdict": {"barrier": "names", "rule": "blocked", "reason": "why"},
        "outcome": "denied",
        "duration": 0.5,
        "line": None,
        "previous_hash": GENESIS,
        "hash": denied.hash,
    }
    assert line_of()["verdict"] == "allow"


def line_of(**changes: Any) -> Any:
    return json.loads(record(**{"line": 3, **changes}).sealed(GENESIS).to_json())


TAMPERED: dict[str, Any] = {
    "number": [2, 0],
    "run": [2],
    "timestamp": [101.5],
    "operation": ["users:drop"],
    "arguments": [{"n": 1.0}, {}, encode({"n": 2}).hex()],
    "verdict": [{"barrier": "names", "rule": "blocked", "reason": ""}],
    "outcome": ["raised", "pending"],
    "duration": [0.25],
    "line": [4, None],
    "previous_hash": ["f" * 64],
    "hash": ["f" * 64, ""],
}


@pytest.mark.parametrize("field", TAMPERED)
def test_a_line_that_was_changed_is_found(field: str) -> None:
    for value in TAMPERED[field]:
        changed = AuditRecord.from_json(json.dumps({**line_of(), field: value}))
        assert verify([changed], first=1) is not None


def test_a_line_that_was_taken_away_is_found() -> None:
    without = {name: value for name, value in line_of().items() if name != "line"}
    changed = AuditRecord.from_json(json.dumps(without))
    assert verify([changed], first=1) == ChainFault(1, "it was changed")


def test_records_of_before_there_were_lines_are_read_and_verified() -> None:
    old = line_of(line=None)
    del old["line"]
    assert verify([AuditRecord.from_json(json.dumps(old))], first=1) is None


NO_RECORDS: list[Any] = [
    {},
    [],
    None,
    {**line_of(), "more": 1},
    {**line_of(), "number": "1"},
    {**line_of(), "number": True},
    {**line_of(), "timestamp": "now"},
    {**line_of(), "operation": None},
    {**line_of(), "arguments": []},
    {**line_of(), "arguments": "xyz"},
    {**line_of(), "arguments": "c1"},
    {**line_of(), "arguments": encode([1]).hex()},
    {**line_of(), "arguments": {"a": "x" * 1_100_000}},
    {**line_of(), "verdict": "deny"},
    {**line_of(), "verdict": {"barrier": "names"}},
    {**line_of(), "outcome": "won"},
    {**line_of(), "line": "3"},
    {**line_of(), "line": 3.5},
]


@pytest.mark.parametrize("value", NO_RECORDS, ids=lambda value: str(value)[-60:])
def test_what_is_no_record_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^not an audit record: "):
        AuditRecord.from_json(json.dumps(value))


@pytest.mark.parametrize("text", ["", "{", "[" * 200_000, '{"number": 1', "nul"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not an audit record: "):
        AuditRecord.from_json(text)


# Each differs from the others, though Python or JSON takes some of them for equal.
LOOK_ALIKES: list[Any] = [1, 1.0, True, "1", b"1", [1], (1,), {1}, frozenset({1}), {1: 1}]


def test_look_alikes_have_different_hashes() -> None:
    values = [*LOOK_ALIKES, 0, 0.0, -0.0, False, None, "", b"", [], (), {}, set(), "None", "null"]
    hashes = {digest(record(arguments={"a": value})) for value in values}
    assert len(hashes) == len(values)


@pytest.mark.parametrize("value", EXAMPLES, ids=lambda value: type(value).__name__)
def test_every_crossing_value_can_be_sealed_and_read_back(value: Any) -> None:
    sealed = record(arguments={"value": value}).sealed(GENESIS)
    again = replace(sealed, arguments=decode(encode(dict(sealed.arguments))))
    assert verify([again]) is None


HASHES = """
import sys, json
sys.path += json.loads(sys.argv[1])
from doublevm.audit import AuditRecord, digest
from doublevm.verdict import Allow
arguments = {"s": set("abcdefgh"), "f": frozenset(["xyz", "uvw", ("t", 1)])}
print(digest(AuditRecord(1, 1, 0.0, "a", arguments, Allow(), "returned", 0.0)))
"""


def test_the_hash_is_the_same_in_every_process() -> None:
    """Sets have another order in each: that of the hashes of text."""
    command = [sys.executable, "-S", "-c", HASHES, json.dumps(package_folders())]
    found = {
        subprocess.run(
            command, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True, timeout=60
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


PINNED = (
    "a328005390344cf4aad8a309f9b8bc75c934de9d726f6052f439bb12c0e5c40d",
    "fe6cdf09f63dd8decef6e0151f7a02af9feb591c331cf19021744c3d567c4246",
    "61228dca990de64729148c942b643e8f0111a0b5b2d5663453253baf1c3fcb09",
)


def test_the_hash_is_pinned() -> None:
    """A change here makes every trail that users have kept unverifiable."""
    assert digest(record(previous_hash=GENESIS)) == PINNED[0]
    denied = record(verdict=Deny("names", "blocked", "why"), outcome="denied", arguments={"é": {1}})
    assert digest(denied) == PINNED[1]
    assert digest(record(line=3, previous_hash=GENESIS)) == PINNED[2]


def test_its_repr_says_the_most_of_it() -> None:
    assert repr(record(7)) == (
        "AuditRecord(number=7, run=1, operation='users:list', arguments={'n': 1}, "
        "verdict=Allow(), outcome='returned', duration=0.5, line=None)"
    )


@pytest.mark.parametrize("value", [10**5000, "x" * 10**6], ids=["huge int", "long text"])
def test_no_argument_breaks_its_repr(value: Any) -> None:
    assert len(repr(record(arguments={"value": value}))) < 1000


@given(NUMBERS, NUMBERS, NUMBERS, st.text(), VERDICTS, st.none() | NUMBERS)
def test_the_hash_is_that_of_canonical_json(
    number: int, timestamp: float, duration: float, operation: str, verdict: Any, line: int | None
) -> None:
    arguments, last = {"n": 1}, (duration, line, "é")
    one = AuditRecord(number, 7, timestamp, operation, arguments, verdict, "raised", *last)
    denial = [verdict.barrier, verdict.rule, verdict.reason] if verdict != Allow() else None
    fields = [number, 7, timestamp, operation, encode({"n": 1}).hex(), denial, "raised", duration]
    fields += [] if line is None else [line]
    text = json.dumps([*fields, "é"], separators=(",", ":"))
    assert digest(one) == hashlib.sha256(text.encode()).hexdigest()
