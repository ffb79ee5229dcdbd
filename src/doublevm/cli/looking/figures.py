"""What a trail comes to, in figures: counted along one way through its operations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from doublevm.cli.looking.sketch import Named, Quantiles
from doublevm.cli.looking.words import objection, score_of
from doublevm.host.sinks.filtering import verdict_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doublevm.host.sinks.pairing import StoredOperation

MOST_CONVERSATIONS: Final = 100_000
"""Conversations that are told apart; a trail with more says that they are more."""
_OPEN_SECONDS: Final = 100
"""Seconds whose operations are still counted: processes that write one trail do not do so in the
order of their clocks."""
PARTS: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(slots=True)
class OfOperation:
    """The figures of the operations of one name."""

    count: int = 0
    denied: int = 0
    durations: Quantiles = field(default_factory=Quantiles)
    """Seconds, of handlers that came to their end."""

    def as_object(self) -> dict[str, Any]:
        """Return them as JSON can."""
        parts = {name: self.durations.at(part) for name, part in PARTS.items()}
        return {
            "count": self.count,
            "denied": self.denied,
            **parts,
            "max": self.durations.largest,
        }


@dataclass(slots=True)
class OfRule:
    """The figures of the denials of one rule."""

    count: int = 0
    would: int = 0
    """How many of them were let through, as the policy was on trial."""
    last: float = 0.0
    """When the last one was attempted."""


class Figures:
    """Counts operations; those of programs that were scored apart."""

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0
        self.first, self.last = float("inf"), float("-inf")
        self.verdicts: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.rules: Named[OfRule] = Named(OfRule, lambda rule: rule.count)
        self.operations: Named[OfOperation] = Named(OfOperation, lambda found: found.count)
        self.scores: Counter[int] = Counter()
        """How many programs had each score."""
        self.blocked = 0
        self.peak, self.peak_at = 0, 0
        """The most operations in one second of the clock, and which one."""
        self._enclaves: set[str] = set()
        self._seconds: dict[int, int] = {}

    def add(self, operations: Iterable[StoredOperation]) -> Figures:
        """Count operations, in any order."""
        for each in operations:
            if len(self._enclaves) <= MOST_CONVERSATIONS:
                self._enclaves.add(each.enclave)
            if each.outcome == "scored":
                self._score(each)
            else:
                self._operation(each)
        for second in list(self._seconds):
            self._end(second)
        return self

    @property
    def conversations(self) -> int:
        """How many there are; MOST_CONVERSATIONS + 1 stands for more."""
        return len(self._enclaves)

    @property
    def mean_rate(self) -> float:
        """Operations per second, from the first to the last one."""
        span = self.last - self.first
        return self.count / span if self.count > 1 and span > 0 else 0.0

    def _score(self, program: StoredOperation) -> None:
        score = score_of(program)
        if score is not None:
            self.scores[min(max(score, 0), 100)] += 1
        if objection(program) is not None:
            self.blocked += 1

    def _operation(self, operation: StoredOperation) -> None:
        self.count += 1
        self.first = min(self.first, operation.time)
        self.last = max(self.last, operation.time)
        self._tick(int(operation.time))
        self.outcomes[operation.outcome] += 1
        verdict, denied = verdict_name(operation.verdict), objection(operation)
        self.verdicts[verdict] += 1
        found = self.operations[operation.operation]
        found.count += 1
        if verdict == "deny":
            found.denied += 1
        if operation.outcome in ("returned", "raised"):
            found.durations.add(operation.duration)
        if denied is not None:
            rule = self.rules[denied.address]
            rule.count += 1
            rule.would += verdict == "would_deny"
            rule.last = max(rule.last, operation.time)

    def _tick(self, second: int) -> None:
        self._seconds[second] = self._seconds.get(second, 0) + 1
        if len(self._seconds) > _OPEN_SECONDS:
            self._end(min(self._seconds))

    def _end(self, second: int) -> None:
        count = self._seconds.pop(second)
        if count > self.peak:
            self.peak, self.peak_at = count, second

    def as_object(self) -> dict[str, Any]:
        """Return everything as JSON can; times in seconds since the epoch, durations in seconds."""
        return {
            "operations": self.count,
            "conversations": self.conversations,
            "first": self.first if self.count else None,
            "last": self.last if self.count else None,
            "verdicts": {name: self.verdicts[name] for name in ("allow", "deny", "would_deny")},
            "outcomes": dict(self.outcomes.most_common()),
            "rules": {
                name: {"count": rule.count, "would_deny": rule.would, "last": rule.last}
                for name, rule in self.rules
            },
            "rate": {"mean": self.mean_rate, "peak": self.peak, "peak_at": self.peak_at},
            "by_operation": {name: found.as_object() for name, found in self.operations},
            "other_operations": self.operations.others,
            "scores": {
                "count": sum(self.scores.values()),
                "blocked": self.blocked,
                "mean": self.mean_score,
                "max": max(self.scores, default=None),
            },
        }

    @property
    def mean_score(self) -> float | None:
        """The mean of all scores, None if there is none."""
        count = sum(self.scores.values())
        return sum(score * of for score, of in self.scores.items()) / count if count else None
