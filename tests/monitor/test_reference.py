"""The monitor against a reference that keeps everything and looks at all of it each time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from doublevm.monitor import Hold, Monitor
from doublevm.policy import ParentValidation
from doublevm.verdict import Deny
from tests.barriers.sequences import IDS, READS, listed
from tests.monitor.traces import Act, policies, traces

if TYPE_CHECKING:
    from doublevm.policy import OnRateLimit

SENDS = set(listed("send export post write upload publish emit transmit forward"))
CREDENTIALS = {"token", "key"}  # as far as the traces' names go
EXTERNALS = SENDS | {"http", "request", "mail"}
DELETES = {"delete"}


def split(name: str) -> set[str]:
    spaced = re.sub("([A-Z])", r" \1", name)
    return {word.lower() for word in re.split("[^A-Za-z]+", spaced)}


@dataclass
class Reference:
    policy: ParentValidation
    past: list[tuple[float, str, bool]] = field(default_factory=list)
    """When, what, and whether it was allowed; nothing is ever forgotten."""
    now: float = 0.0
    left: int = 0

    def judge(self, act: Act, now: float) -> str | float:
        """Return an address, ``allowed``, or how long to hold the attempt."""
        self.now = max(self.now, now)
        address = self.static(act) or self.rate() or self.sequence(act) or "allowed"
        if not isinstance(address, float):
            self.past.append((self.now, act.name, address == "allowed"))
        return address

    def static(self, act: Act) -> str | None:
        policy = self.policy
        if " " in act.name:
            return "names/grammar"
        if any(re.search(each, act.name) for each in policy.blocked_operation_patterns):
            return "names/blocked"
        allowed = policy.allowed_operation_pattern
        if policy.validate_operation_names and allowed and not re.fullmatch(allowed, act.name):
            return "names/not_allowed"
        return "budget/max_tool_calls" if self.left < 0 else None

    def rate(self) -> str | float | None:
        most = self.policy.max_operations_per_second
        recent = [at for at, _, allowed in self.past if allowed and at > self.now - 1.0]
        if len(recent) < most:
            return None
        if self.policy.on_rate_limit == "wait":
            return sorted(recent)[-most] + 1.0 - self.now
        return "rate/max_operations_per_second"

    def sequence(self, act: Act) -> str | None:
        policy = self.policy
        if not policy.block_suspicious_sequences:
            return None
        threshold = policy.rapid_enumeration_overrides.get(
            act.name, policy.rapid_enumeration_threshold
        )
        since = self.now - policy.rapid_enumeration_window
        same = [at for at, name, _ in self.past if name == act.name and at > since]
        words = split(act.name)
        much = act.args.get("limit", 0) >= 1000 or "*" in act.args.values()
        found = {
            "EXFIL_LIST_SEND": self.seen(set(READS)) and words & SENDS,
            "RAPID_ENUMERATION": len(same) >= threshold,
            "CREDENTIAL_EXFIL": self.seen(CREDENTIALS) and words & EXTERNALS,
            "BULK_OPERATION": "bulk" in words or {"export", "all"} <= words or much,
            "DELETE_AFTER_ACCESS": self.seen(set(READS)) and words & DELETES,
        }
        ids = (each for each in found if found[each] and each not in policy.disabled_patterns)
        return next((f"sequence/{each}" for each in ids), None)

    def seen(self, words: set[str]) -> bool:
        since = self.now - self.policy.sequence_window
        return any(at > since and ok and split(name) & words for at, name, ok in self.past)


def run(policy: ParentValidation, trace: list[Act]) -> tuple[list[Any], list[Any], list[float]]:
    """Return the monitor's answers, the reference's, and when something was accepted."""
    monitor = Monitor((), policy, catch_all=True)
    monitor.begin_run(100)
    reference = Reference(policy, left=100)
    got: list[Any] = []
    expected: list[Any] = []
    accepted: list[float] = []
    now = 1.7e9
    for act in trace:
        now += act.later
        if act.begin is not None:
            monitor.begin_run(act.begin)
            reference.left = act.begin
        reference.left -= 1
        attempt = monitor.attempt(act.name, (), act.args)
        while True:
            verdict = monitor.decide(attempt, now)
            got.append(verdict.seconds if isinstance(verdict, Hold) else _address(verdict))
            expected.append(reference.judge(act, now))
            if not isinstance(verdict, Hold):
                break
            now = max(now, reference.now) + verdict.seconds
        if verdict.allowed:
            accepted.append(reference.now)
    return got, expected, accepted


def _address(verdict: Any) -> str:
    return verdict.address if isinstance(verdict, Deny) else "allowed"


def most_in_a_second(accepted: list[float]) -> int:
    return max((sum(at <= each < at + 1.0 for each in accepted) for at in accepted), default=0)


@settings(deadline=None, max_examples=200)
@given(policies(), traces())
def test_every_verdict_agrees(policy: ParentValidation, trace: list[Act]) -> None:
    got, expected, _ = run(policy, trace)
    assert got == expected


@settings(deadline=None, max_examples=80)
@given(policies(on_rate_limit="wait", disabled_patterns=()), traces())
def test_every_verdict_and_hold_agrees(policy: ParentValidation, trace: list[Act]) -> None:
    got, expected, _ = run(policy, trace)
    assert got == expected


@settings(deadline=None, max_examples=80)
@given(
    st.integers(1, 4),
    st.sampled_from(("deny", "wait")),
    st.lists(st.integers(0, 40), min_size=1, max_size=80),
)
def test_no_second_holds_more_than_allowed(
    most: int, on_rate_limit: OnRateLimit, gaps: list[int]
) -> None:
    policy = ParentValidation(
        max_operations_per_second=most,
        on_rate_limit=on_rate_limit,
        block_suspicious_sequences=False,
    )
    trace = [Act("note", {}, gap / 64, begin=1) for gap in gaps]
    _, _, accepted = run(policy, trace)
    assert most_in_a_second(accepted) <= most
    if on_rate_limit == "wait":
        assert len(accepted) == len(trace)


def test_the_reference_is_asked_for_every_answer_there_is() -> None:
    """The traces would show little if they never got far."""
    seen: set[str] = set()

    @settings(deadline=None, max_examples=150, derandomize=True, database=None)
    @given(policies(), traces())
    def collect(policy: ParentValidation, trace: list[Act]) -> None:
        seen.update(run(policy, trace)[0])

    collect()
    assert seen == {
        "allowed",
        "names/grammar",
        "names/blocked",
        "names/not_allowed",
        "budget/max_tool_calls",
        "rate/max_operations_per_second",
        *(f"sequence/{each}" for each in IDS),
    }
