from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import doublevm.history
from doublevm.history import ENTRY_BYTES, History, OperationHistoryEntry
from doublevm.monitor import Monitor
from doublevm.policy import SuspiciousPattern
from doublevm.wire.codec import CodecError
from tests.barriers.cases import ALLOWED, Setting, Step, judge

QUIET = SuspiciousPattern(id="QUIET", description="odd", detect=lambda *_: False)
FULL = "sequence/history_full"


def entry(name: str = "a", at: float = 0.0, **args: Any) -> OperationHistoryEntry:
    return OperationHistoryEntry(name, args, at)


def times(monitor: Monitor) -> list[float]:
    return [each.timestamp for each in monitor.history]


@pytest.mark.parametrize(
    ("options", "window"),
    [
        ({}, 60.0),
        ({"sequence_window": 7.0}, 7.0),
        ({"sequence_window": 2.0}, 5.0),
        ({"sequence_window": 2.0, "rapid_enumeration_window": 90.0}, 90.0),
        ({"sequence_window": 0.25, "rapid_enumeration_window": 0.5}, 1.0),
    ],
)
def test_it_is_kept_as_long_as_the_longest_window(options: Any, window: float) -> None:
    monitor = Setting(options={"rapid_enumeration_threshold": 10**6, **options}).monitor()
    for i in range(50):
        judge(monitor, Step("a", at=i * window / 64))
    assert times(monitor) == [i * window / 64 for i in range(50)]
    judge(monitor, Step("a", at=window))
    assert times(monitor)[0] == window / 64
    judge(monitor, Step("a", at=1000 * window))
    assert times(monitor) == [1000 * window]


def test_without_a_policy_it_is_kept_for_a_second() -> None:
    monitor = Monitor((), None, catch_all=True)
    monitor.begin_run(100)
    for now in (0.0, 0.5, 1.0, 1.25):
        judge(monitor, Step("a", at=now))
    assert times(monitor) == [0.5, 1.0, 1.25]


@pytest.mark.parametrize("traffic", [10, 5000])
def test_no_traffic_washes_a_sequence_away(traffic: int) -> None:
    options = {
        "max_operations_per_second": 10**6,
        "rapid_enumeration_threshold": 10**6,
        "suspicious_patterns": (QUIET,),
    }
    monitor = Setting(options=options).monitor()
    judge(monitor, Step("users:list"))
    for i in range(traffic):
        judge(monitor, Step("noise", {"i": i}, at=59.0 * i / traffic))
    assert monitor.history[0].name == "users:list"
    assert judge(monitor, Step("mail:send", at=59.0)) == "sequence/EXFIL_LIST_SEND"


def test_denied_attempts_stay_in_it_marked() -> None:
    monitor = Setting(options={"blocked_operation_patterns": ("x",)}).monitor()
    for name in ("a", "x", "a b", "bulk"):
        judge(monitor, Step(name, {"n": 1}))
    found = [(each.name, each.allowed) for each in monitor.history]
    assert found == [("a", True), ("x", False), ("a b", False), ("bulk", False)]


def test_arguments_are_kept_for_detectors_only() -> None:
    for patterns, expected in (((), {}), ((QUIET,), {"n": 1})):
        monitor = Setting(options={"suspicious_patterns": patterns}).monitor()
        judge(monitor, Step("a", {"n": 1}))
        assert [each.args for each in monitor.history] == [expected]
        monitor.remember([entry("b", 1.0, n=1)])
        assert [each.args for each in monitor.history] == [expected, expected]


def with_room_for(bytes_: int, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Monitor:
    monkeypatch.setattr(doublevm.history, "MAX_BYTES", bytes_)
    wide = {"max_operations_per_second": 10**6, "rapid_enumeration_threshold": 10**6}
    return Setting(options={**wide, **options}).monitor()


def test_what_would_not_fit_is_denied_until_something_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = 3 * (ENTRY_BYTES + len("a") + len(entry().encoded_args))
    monitor = with_room_for(room, monkeypatch)
    for now in (0.0, 1.0, 2.0):
        assert judge(monitor, Step("a", at=now)) == ALLOWED
    for _ in range(10):
        assert judge(monitor, Step("a", at=3.0)) == FULL
        assert judge(monitor, Step("b b", at=3.0)) == "names/grammar"
    assert times(monitor) == [0.0, 1.0, 2.0]
    assert judge(monitor, Step("a", at=60.0)) == ALLOWED
    assert judge(monitor, Step("a", at=60.5)) == FULL
    assert judge(monitor, Step("a", at=61.0)) == ALLOWED


@pytest.mark.parametrize("kept", [True, False])
def test_arguments_take_room_where_they_are_kept(
    monkeypatch: pytest.MonkeyPatch, *, kept: bool
) -> None:
    patterns = (QUIET,) if kept else ()
    monitor = with_room_for(10_000, monkeypatch, suspicious_patterns=patterns)
    large = {"text": "x" * 6000}
    assert judge(monitor, Step("a", large)) == ALLOWED
    assert judge(monitor, Step("a", large)) == (FULL if kept else ALLOWED)
    assert judge(monitor, Step("a")) == ALLOWED


def test_memory_is_bounded_whatever_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = with_room_for(100_000, monkeypatch)
    for i in range(1000):
        judge(monitor, Step(f"{i:04}" + "\U0001f600" * 100_000))
    longest = max(len(each.name) for each in monitor.history)
    assert longest == 129
    assert sum(ENTRY_BYTES + len(each.name) for each in monitor.history) < 100_000
    assert len(monitor.history) > 250


def test_what_was_allowed_elsewhere_is_always_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = with_room_for(1000, monkeypatch)
    noise = [OperationHistoryEntry("noise", {}, 0.0, allowed=False)] * 10
    monitor.remember([*noise, entry("users:list", 1.0)])
    assert len(monitor.history) == 5
    assert judge(monitor, Step("mail:send", at=2.0)) == "sequence/EXFIL_LIST_SEND"


def test_names_are_text_that_can_be_sent() -> None:
    monitor = Setting().monitor()
    for name in ("a" * 128, "a" * 129, "\ud800", "é"):
        judge(monitor, Step(name))
    assert [each.name for each in monitor.history] == ["a" * 128, "a" * 129, "?", "é"]
    assert monitor.export_state()


class TestEntry:
    def test_args_are_a_copy_at_each_access(self) -> None:
        one = entry(items=[1])
        one.args["items"].append(2)
        one.args.clear()
        assert one.args == {"items": [1]}
        assert one.args is not one.args

    def test_the_callers_arguments_are_copied_too(self) -> None:
        args = {"items": [1]}
        one = OperationHistoryEntry("a", args, 0.0)
        args["items"].append(2)
        assert one.args == {"items": [1]}

    def test_allowed_by_default(self) -> None:
        assert OperationHistoryEntry("a", {}, 0.0).allowed is True

    def test_arguments_that_cannot_be_kept_are_named(self) -> None:
        with pytest.raises(CodecError, match=r"^args\['x'\] is of type object"):
            entry(x=object())

    def test_equality(self) -> None:
        assert entry(x=1) == entry(x=1)
        assert hash(entry(x=1)) == hash(entry(x=1)) != hash(entry(x=2))
        others = [entry("b", x=1), entry(x=2), entry(at=1.0, x=1), "a"]
        others.append(OperationHistoryEntry("a", {"x": 1}, 0.0, allowed=False))
        assert all(entry(x=1) != other for other in others)
        assert entry(s={"a", "b", "c"}) == entry(s={"c", "b", "a"})

    def test_it_survives_copying_and_pickling(self) -> None:
        one = OperationHistoryEntry("a", {"x": [1]}, 2.5, allowed=False)
        for twin in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):  # noqa: S301 - our own bytes
            assert twin == one

    def test_it_prints_its_fields(self) -> None:
        assert repr(entry(x=1)) == (
            "OperationHistoryEntry(name='a', args={'x': 1}, timestamp=0.0, allowed=True)"
        )

    @pytest.mark.parametrize("field", ["name", "args", "timestamp", "allowed", "_args", "other"])
    def test_it_cannot_be_changed(self, field: str) -> None:
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(entry(), field, 1)
        with pytest.raises(AttributeError, match="cannot be changed"):
            delattr(entry(), field)


def test_a_view_may_be_changed() -> None:
    history = History(60.0)
    history.add(entry())
    history.view().clear()
    assert len(history) == 1
    assert list(history) == [entry()]


def test_room_is_counted_back_when_entries_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doublevm.history, "MAX_BYTES", 2 * (ENTRY_BYTES + 2))
    history = History(1.0)
    for i in range(100):
        history.forget(float(i))
        assert len(history) == 0 or i < 2 or history.view()[0].timestamp > i - 1
        assert history.has_room_for(entry())
        history.add(entry(at=float(i)))
    history.add(entry(at=99.5))
    assert not history.has_room_for(entry())
    history.forget(100.0)
    assert history.has_room_for(entry())
    history.forget(200.0)
    assert len(history) == 0
