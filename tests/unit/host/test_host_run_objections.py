"""Objections that let an operation pass: on record where the policy is tried, a lie elsewhere."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from doublevm import ParentValidation, ProtocolError, SuspiciousPattern, WouldDeny
from doublevm.audit import verify
from doublevm.host import effects as r
from doublevm.host.policy import validation_frame
from doublevm.wire import frames as f
from tests.unit.host.by_hand import ByHand, call, denied, done, returned


def no(name: str, args: Any, history: Any) -> bool:
    return True


def objecting(barrier: str, rule: str, number: int = 1) -> f.Call:
    objection = f.Objection(barrier, rule, "why")
    return msgspec.structs.replace(call(number, a=1), would_deny=objection)


def mine(*, enforce: bool) -> SuspiciousPattern:
    return SuspiciousPattern(id="MINE", description="odd", detect=no, enforce=enforce)


NOT_ENFORCED = ParentValidation(enforce=False)
SOME = ParentValidation(
    unenforced_patterns=("BULK_OPERATION",), suspicious_patterns=(mine(enforce=False),)
)
ENFORCED = ParentValidation(suspicious_patterns=(mine(enforce=True),))

PASS = [
    (NOT_ENFORCED, "names", "blocked"),
    (NOT_ENFORCED, "rate", "max_operations_per_second"),
    (NOT_ENFORCED, "sequence", "EXFIL_LIST_SEND"),
    (SOME, "sequence", "BULK_OPERATION"),
    (SOME, "sequence", "MINE"),
]


@pytest.mark.parametrize(("policy", "barrier", "rule"), PASS)
def test_what_is_not_enforced_passes_and_is_on_record(
    policy: ParentValidation, barrier: str, rule: str
) -> None:
    hand = ByHand(validation=validation_frame(policy)).start()
    assert isinstance(hand.tell(objecting(barrier, rule)), r.Invoke)
    assert isinstance(hand.tell(returned(1, 1)), r.Send)
    hand.tell(None)
    hand.tell(call(2, a=1))
    hand.tell(returned(2, 1))
    hand.tell(None)
    result = hand.end(done())
    assert [record.verdict.allowed for record in result.audit] == [True, True]
    assert result.audit[0].verdict == WouldDeny(barrier, rule, "why")
    assert result.audit[0].outcome == "returned"
    stats = result.stats
    assert (stats.tool_calls, stats.denied, stats.would_deny) == (2, 0, 1)
    assert verify(result.audit, first=1) is None


EARLIEST, LATEST = 1_700_000_000.0, 1_700_000_001.0


@pytest.mark.parametrize(
    ("judged", "kept"),
    [
        (EARLIEST + 0.25, EARLIEST + 0.25),
        (0.0, EARLIEST),
        (-math.inf, EARLIEST),
        (math.nan, EARLIEST),
        (math.inf, LATEST),
        (LATEST + 0.25, LATEST),
    ],
)
@pytest.mark.parametrize("denying", [False, True])
def test_it_was_judged_within_the_run(judged: float, kept: float, *, denying: bool) -> None:
    hand = ByHand().start()
    frame = denied(1) if denying else call(1, a=1)
    hand.tell(msgspec.structs.replace(frame, judged=judged))
    assert hand.trail.judged(0) == kept
    assert [each.timestamp for each in hand.trail.remembered(0.0)] == [kept]


LIES = [
    (None, "sequence", "BULK_OPERATION"),
    (ENFORCED, "names", "blocked"),
    (ENFORCED, "sequence", "MINE"),
    (SOME, "names", "blocked"),
    (SOME, "names", "MINE"),
    (SOME, "sequence", "EXFIL_LIST_SEND"),
    (NOT_ENFORCED, "arguments", "type"),
    (NOT_ENFORCED, "budget", "max_tool_calls"),
]


@pytest.mark.parametrize(("policy", "barrier", "rule"), LIES)
def test_what_is_enforced_does_not(
    policy: ParentValidation | None, barrier: str, rule: str
) -> None:
    hand = ByHand(validation=None if policy is None else validation_frame(policy)).start()
    with pytest.raises(ProtocolError, match="an objection that the policy does not let pass"):
        hand.tell(objecting(barrier, rule))
    assert hand.history == ()
