"""Judging an operation takes as much work after 100,000 operations as after 10.

Work is counted, in steps of the interpreter and in calls of functions written in C, so that the
answer does not depend on what else the machine does.
"""

from __future__ import annotations

import sys
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import pytest

import doublevm.history
from doublevm import OperationHistoryEntry, ParentValidation, SuspiciousPattern, tool
from doublevm.monitor import Hold, Monitor
from doublevm.verdict import Deny

if TYPE_CHECKING:
    from types import FrameType
    from typing import Self

WINDOW = 3600.0
JUDGED = 60
NAMES = ("users:list", "mail:send", "notes:add", "vault:unlock", "http:request", "files:delete")
ARGUMENTS = {"query": {"team": "red", "tags": ["a", "b"]}, "limit": 20}

Verdicts = list[str]


def handler(query: dict[str, Any], limit: int = 10) -> None: ...


def scans_everything(name: str, args: Any, history: list[OperationHistoryEntry]) -> bool:
    return any(entry.name == "nobody" for entry in history)


def monitor(size: int, custom: tuple[SuspiciousPattern, ...] = (), **options: Any) -> Monitor:
    """Return one that remembers ``size`` operations, evenly spread over its window."""
    made = Monitor(
        [tool(name=name)(handler).spec for name in NAMES],
        ParentValidation(
            **{
                "sequence_window": WINDOW,
                "rapid_enumeration_threshold": 1000,
                "suspicious_patterns": custom,
                **options,
            }
        ),
    )
    made.begin_run(10**9)
    made.remember(
        OperationHistoryEntry(name, b"\x80", number * WINDOW / size)
        for number, name in enumerate(islice(cycle(NAMES), size))
    )
    return made


class Work:
    """Counts what is done in its block."""

    def __init__(self) -> None:
        self.steps = 0

    def __enter__(self) -> Self:
        self._before = (sys.gettrace(), sys.getprofile())
        sys.settrace(self._trace)
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *_: object) -> None:
        trace, profile = self._before
        sys.setprofile(profile)
        sys.settrace(trace)

    def _trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        frame.f_trace_opcodes = True
        self.steps += event == "opcode"
        return self._trace

    def _profile(self, _frame: FrameType, event: str, _argument: Any) -> None:
        self.steps += event == "c_call"


def judge(judging: Monitor, size: int) -> tuple[float, Verdicts]:
    """Judge some operations; return the steps that one takes, and what was said of each."""
    verdicts = []
    work = Work()
    for number, name in enumerate(islice(cycle(NAMES), JUDGED), size):
        with work:
            verdict = judging.decide(judging.attempt(name, (), ARGUMENTS), number * WINDOW / size)
        assert not isinstance(verdict, Hold)
        verdicts.append(verdict.address if isinstance(verdict, Deny) else "allowed")
    assert size <= len(judging.history) <= size + 1  # each one pushes the oldest out
    return work.steps / JUDGED, verdicts


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 operations need more than a history is granted."""
    monkeypatch.setattr(doublevm.history, "MAX_BYTES", 2**30)


@pytest.mark.parametrize(
    ("options", "most_are"),
    [
        ({}, "denied"),
        ({"block_suspicious_sequences": False}, "allowed"),
        (
            {"disabled_patterns": ["EXFIL_LIST_SEND", "CREDENTIAL_EXFIL", "DELETE_AFTER_ACCESS"]},
            "allowed",
        ),
        ({"rapid_enumeration_window": WINDOW, "rapid_enumeration_threshold": 1}, "denied"),
    ],
)
def test_a_long_history_costs_no_more(options: dict[str, Any], most_are: str) -> None:
    few, few_said = judge(monitor(10, **options), 10)
    many, many_said = judge(monitor(100_000, **options), 100_000)
    for said in (few_said, many_said):
        allowed = said.count("allowed")
        assert (allowed > JUDGED / 2) == (most_are == "allowed"), said
    assert few > 100  # it counts indeed
    assert many < 2 * few


def test_control_a_pattern_that_looks_at_everything_is_noticed() -> None:
    pattern = SuspiciousPattern(id="SCAN", description="odd", detect=scans_everything)
    few, _ = judge(monitor(10, (pattern,)), 10)
    many, _ = judge(monitor(2_000, (pattern,)), 2_000)
    assert many > 3 * few
