"""Bytes that are no monitor's state are refused, and change nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import doublevm.history
import doublevm.state
from doublevm.state import StateError, decode_state
from doublevm.verdict import Deny
from doublevm.wire.codec import encode
from tests.barriers.cases import Setting, Step, judge
from tests.monitor.test_state import filled

MAGIC = b"doublevm-monitor\x00"


def wire(*fields: Any) -> bytes:
    return MAGIC + msgspec.msgpack.encode(fields)


def entry(**changes: Any) -> list[Any]:
    fields = {"name": "a", "args": encode({}), "timestamp": 1.0, "allowed": True}
    return list({**fields, **changes}.values())


NAN, INF = float("nan"), float("inf")

DAMAGED: list[tuple[str, bytes, str]] = [
    ("empty", b"", "not a monitor's state"),
    ("other-bytes", b"hello", "not a monitor's state"),
    ("magic-only", MAGIC, "damaged"),
    ("not-msgpack", MAGIC + b"\xc1", "damaged"),
    ("version", wire(2, 0, 0, 0.0, []), "has version 2, not 1"),
    ("missing-field", wire(1, 0, 0, 0.0), "damaged"),
    ("one-field-more", wire(1, 0, 0, 0.0, [], 1), "damaged"),
    ("text-for-a-number", wire(1, "0", 0, 0.0, []), "damaged"),
    ("negative-attempts", wire(1, -1, 0, 0.0, []), "its numbers cannot be"),
    ("time-before-the-last-entry", wire(1, 0, 0, 0.5, [entry()]), "its numbers cannot be"),
    ("time-is-nan", wire(1, 0, 0, NAN, []), "its numbers cannot be"),
    ("time-is-infinite", wire(1, 0, 0, INF, []), "its numbers cannot be"),
    ("short-entry", wire(1, 0, 0, 1.0, [entry()[:3]]), "damaged"),
    ("entry-nan", wire(1, 0, 0, 1.0, [entry(timestamp=NAN)]), "out of order"),
    ("entry-infinite", wire(1, 0, 0, INF, [entry(timestamp=INF)]), "out of order"),
    ("entries-backwards", wire(1, 0, 0, 2.0, [entry(timestamp=2.0), entry()]), "out of order"),
    ("args-not-a-value", wire(1, 0, 0, 1.0, [entry(args=b"\xc1")]), "not an encoded value"),
    ("args-a-list", wire(1, 0, 0, 1.0, [entry(args=encode([]))]), "are not a dict"),
    ("args-too-deep", wire(1, 0, 0, 1.0, [entry(args=b"\x81\xa1a" * 99 + b"\x01")]), "nested"),
    ("nested-beyond-the-stack", MAGIC + b"\x91" * 100_000, "damaged"),
]


@pytest.mark.parametrize(
    ("data", "message"), [row[1:] for row in DAMAGED], ids=[row[0] for row in DAMAGED]
)
def test_damage_is_found_and_changes_nothing(data: bytes, message: str) -> None:
    monitor = filled()
    before = monitor.export_state()
    with pytest.raises(StateError, match=message):
        monitor.restore_state(data)
    assert monitor.export_state() == before
    assert judge(monitor, Step("mail:send", at=103.0)) == "sequence/EXFIL_LIST_SEND"


def test_the_fields_of_the_table_are_otherwise_right() -> None:
    monitor = Setting().monitor()
    monitor.restore_state(wire(1, 0, 0, 1.0, [entry(), entry(name="b")]))
    assert [each.name for each in monitor.history] == ["a", "b"]
    monitor.restore_state(wire(1, 0, 0, -INF, []))
    assert monitor.history == ()


def test_the_size_is_checked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    state = filled().export_state()
    monkeypatch.setattr(doublevm.state, "MAX_STATE_BYTES", len(state))
    Setting().monitor().restore_state(state)
    monkeypatch.setattr(doublevm.state, "MAX_STATE_BYTES", len(state) - 1)
    with pytest.raises(StateError, match=f"a state of {len(state)} bytes; {len(state) - 1} are"):
        Setting().monitor().restore_state(state)


def test_a_full_history_can_be_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst ratio of what crosses to what is counted: long names, four bytes a character."""
    monkeypatch.setattr(doublevm.history, "MAX_BYTES", 160_000)
    monkeypatch.setattr(doublevm.state, "MAX_STATE_BYTES", 320_000)
    monitor = Setting().monitor()
    for i in range(1000):
        judge(monitor, Step(f"{i:04}" + "\U0001f600" * 200))
    Setting().monitor().restore_state(monitor.export_state())


def test_no_beginning_of_a_state_is_one() -> None:
    state = filled().export_state()
    monitor = Setting().monitor()
    for cut in range(len(state)):
        with pytest.raises(StateError):
            monitor.restore_state(state[:cut])
    with pytest.raises(StateError, match="damaged"):
        monitor.restore_state(state + b"\xc0")


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_changed_bytes_are_refused_or_a_state(data: st.DataObject) -> None:
    """Nothing else is raised, and a refused state leaves the monitor as it was."""
    monitor = filled()
    before = monitor.export_state()
    changed = bytearray(before)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        monitor.restore_state(bytes(changed))
    except StateError:
        assert monitor.export_state() == before
    else:
        verdict = monitor.decide(monitor.attempt("a", (), {}), 200.0)
        assert verdict.allowed or isinstance(verdict, Deny)  # type: ignore[union-attr]


@settings(deadline=None)
@given(st.binary(max_size=200))
@example(b"")
def test_random_bytes_are_refused(noise: bytes) -> None:
    with pytest.raises(StateError):
        decode_state(noise)
    with pytest.raises(StateError, match=r"damaged|version"):
        decode_state(MAGIC + noise)
