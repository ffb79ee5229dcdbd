"""The monitor's state as bytes: it can go on elsewhere, and what is damaged is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import doublevm.history
import doublevm.state
from doublevm.history import OperationHistoryEntry
from doublevm.monitor import Hold, Monitor
from doublevm.policy import ParentValidation, SuspiciousPattern
from doublevm.state import decode_state, encode_state
from tests.barriers.cases import ALLOWED, Setting, Step, judge
from tests.monitor.traces import Act, policies, traces

MAGIC = b"doublevm-monitor\x00"


def looks_back(name: str, args: Any, history: list[OperationHistoryEntry]) -> bool:
    """Depend on all a detector can see."""
    seen = [(entry.name, entry.args.get("limit"), entry.timestamp % 7) for entry in history]
    return hash((len(seen), sum(not entry.allowed for entry in history), *seen[-2:])) % 5 == 0


CUSTOM = (SuspiciousPattern(id="LOOKS_BACK", description="odd", detect=looks_back),)


def answers(
    policy: ParentValidation, trace: list[Act], moves: set[int]
) -> tuple[list[Any], list[bytes]]:
    """Judge a trace; before each step of ``moves`` another monitor takes over."""
    monitor, now = Monitor((), policy, catch_all=True), 1.7e9
    monitor.begin_run(100)
    given_: list[Any] = []
    states = []
    for i, act in enumerate(trace):
        now += act.later
        if act.begin is not None:
            monitor.begin_run(act.begin)
        if i in moves:
            state = monitor.export_state()
            monitor = Monitor((), policy, catch_all=True)
            monitor.restore_state(state)
            assert monitor.export_state() == state
        attempt = monitor.attempt(act.name, (), act.args)
        verdict = monitor.decide(attempt, now)
        if isinstance(verdict, Hold):
            given_.append(verdict)
            verdict = monitor.decide(attempt, now + verdict.seconds / 2)
        given_.append(verdict)
        states.append(monitor.export_state())
    return given_, states


@settings(deadline=None, max_examples=100)
@given(
    st.one_of(
        policies(),
        policies(on_rate_limit="wait"),
        policies(suspicious_patterns=CUSTOM, block_suspicious_sequences=True),
    ),
    traces(longest=40),
    st.sets(st.integers(0, 40)),
)
def test_a_restored_monitor_judges_as_the_one_that_never_stopped(
    policy: ParentValidation, trace: list[Act], moves: set[int]
) -> None:
    assert answers(policy, trace, moves) == answers(policy, trace, set())


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doublevm.history, "MAX_BYTES", 1000)


@pytest.mark.usefixtures("_small")
def test_also_when_the_history_is_full() -> None:
    @settings(deadline=None, max_examples=60)
    @given(
        policies(
            max_operations_per_second=100,
            suspicious_patterns=CUSTOM,
            sequence_window=5.0,
            block_suspicious_sequences=True,
            allowed_operation_pattern=None,
        ),
        traces(longest=40),
        st.sets(st.integers(0, 40)),
    )
    def check(policy: ParentValidation, trace: list[Act], moves: set[int]) -> None:
        assert answers(policy, trace, moves) == answers(policy, trace, set())

    check()


def filled() -> Monitor:
    monitor = Setting(budget=5, options={"suspicious_patterns": CUSTOM[:0]}).monitor()
    for i, name in enumerate(("users:list", "no name", "note")):
        judge(monitor, Step(name, {"i": i}, at=100.0 + i))
    return monitor


def test_restoring_replaces_what_was_there() -> None:
    monitor = Setting(budget=1).monitor()
    judge(monitor, Step("vault:token", at=5000.0))
    state = filled().export_state()
    monitor.restore_state(state)
    assert monitor.export_state() == state
    assert judge(monitor, Step("web:request", at=103.0)) == ALLOWED
    assert judge(monitor, Step("mail:send", at=104.0)) == "sequence/EXFIL_LIST_SEND"
    assert judge(monitor, Step("a", at=104.0)) == "budget/max_tool_calls"


def test_the_clock_goes_on_where_it_was() -> None:
    """Even where the last attempt was held and left no entry."""
    monitor = Setting(options={"max_operations_per_second": 1, "on_rate_limit": "wait"}).monitor()
    judge(monitor, Step("a", at=10.0))
    assert monitor.decide(monitor.attempt("a", (), {}), 10.75) == Hold(0.25)
    other = Setting(options={"max_operations_per_second": 1, "on_rate_limit": "wait"}).monitor()
    other.restore_state(monitor.export_state())
    assert other.decide(other.attempt("a", (), {}), 0.0) == Hold(0.25)


def test_an_empty_one_too() -> None:
    monitor = Setting().monitor()
    other = filled()
    other.restore_state(monitor.export_state())
    assert other.history == ()
    assert judge(other, Step("a", at=-5.0)) == ALLOWED


def test_before_a_run_has_begun_there_is_no_budget() -> None:
    monitor = Monitor((), None, catch_all=True)
    assert decode_state(monitor.export_state()) == ([], 0, 0, float("-inf"))
    assert judge(monitor, Step("a")) == "budget/max_tool_calls"


def test_what_is_forgotten_is_not_exported() -> None:
    monitor = Setting().monitor()
    judge(monitor, Step("a", at=0.0))
    judge(monitor, Step("b", at=59.0))
    size = len(monitor.export_state())
    judge(monitor, Step("c", at=60.0))
    assert len(monitor.export_state()) == size
    entries, attempts, budget, now = decode_state(monitor.export_state())
    assert [entry.name for entry in entries] == ["b", "c"]
    assert (attempts, budget, now) == (3, 10_000, 60.0)


def test_encoding_is_the_inverse() -> None:
    entries = [OperationHistoryEntry("a", {"x": {1, 2}}, 1.5, allowed=False)]
    assert decode_state(encode_state(iter(entries), 3, 4, 2.5)) == (entries, 3, 4, 2.5)
