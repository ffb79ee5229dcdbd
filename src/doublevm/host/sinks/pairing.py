"""Attempts and their outcomes, brought together as the operations that they speak of."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from doublevm.host.sinks.entries import Attempt, Ended, arguments_of, verdict_of
from doublevm.verdict import Deny

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from doublevm.host.sinks.entries import AnyEntry
    from doublevm.host.sinks.filtering import Filter, OutcomeName
    from doublevm.verdict import Verdict


@dataclass(frozen=True, slots=True)
class StoredOperation:
    """An operation as a trail has it: the attempt, and its outcome if that was written."""

    seq: int
    """The attempt's place in the trail."""
    enclave: str
    run: int
    number: int
    time: float
    operation: str
    arguments: Mapping[str, Any]
    """As they were kept: what was redacted is a text."""
    verdict: Verdict
    outcome: OutcomeName
    """``unknown``: it was allowed, and nobody wrote what became of it."""
    duration: float
    """Seconds the handler took; 0.0 if that is not known."""
    line: int | None = None
    """The program's line that made the call, as the inner VM said; None if it did not."""


Key = tuple[str, int]


def key_of(entry: Attempt | Ended) -> Key:
    """Return what an attempt and its outcome have in common."""
    return entry.enclave, entry.number


class Pairing:
    """Brings attempts and their outcomes together as they come."""

    def __init__(
        self, wanted: Filter, *, ordered: bool, endless: Collection[Key] = frozenset()
    ) -> None:
        """Begin with none.

        ``ordered``: they leave in the order of their attempts, and wait for each other's outcomes;
        not for those of ``endless``, which are known to have none.
        """
        self._wanted, self._ordered, self._endless = wanted, ordered, endless
        # An ordered one: any other looks for its first item past all that were deleted.
        self._waiting: OrderedDict[Key, tuple[int, Attempt]] = OrderedDict()
        self._ended: dict[Key, Ended] = {}

    def take(self, seq: int, entry: AnyEntry) -> Iterator[StoredOperation]:
        """Take an entry; return the operations that are complete now."""
        if isinstance(entry, Attempt):
            if self._wanted.fits(entry, seq):
                self._waiting[key_of(entry)] = (seq, entry)
                if not self._is_awaited(key_of(entry)):
                    yield from self._complete(key_of(entry))
        elif isinstance(entry, Ended) and key_of(entry) in self._waiting:
            self._ended[key_of(entry)] = entry
            yield from self._complete(key_of(entry))

    def rest(self) -> Iterator[StoredOperation]:
        """Return those that have no outcome so far, and whatever waits behind them."""
        for key in list(self._waiting):
            yield from self._release(key)

    def _is_awaited(self, key: Key) -> bool:
        _, attempt = self._waiting[key]
        return key not in self._ended and key not in self._endless and has_outcome(attempt)

    def _complete(self, key: Key) -> Iterator[StoredOperation]:
        if not self._ordered:
            yield from self._release(key)
            return
        while self._waiting:
            key = next(iter(self._waiting))
            if self._is_awaited(key):
                return
            yield from self._release(key)

    def _release(self, key: Key) -> Iterator[StoredOperation]:
        seq, attempt = self._waiting.pop(key)
        operation = operation_of(seq, attempt, self._ended.pop(key, None))
        if self._wanted.outcome in (None, operation.outcome):
            yield operation


def has_outcome(attempt: Attempt) -> bool:
    """Whether there will be an outcome: a denial is one itself, but for a program's."""
    return not isinstance(attempt.verdict, Deny) or attempt.verdict.barrier == "scoring"


def operation_of(seq: int, attempt: Attempt, outcome: Ended | None) -> StoredOperation:
    """Return the operation that an attempt, and its outcome if there is one, speak of."""
    verdict = verdict_of(attempt)
    ending: OutcomeName = "unknown"
    if outcome is not None:
        ending = outcome.outcome
    elif not verdict.allowed:
        ending = "denied"
    return StoredOperation(
        seq,
        attempt.enclave,
        attempt.run,
        attempt.number,
        attempt.time,
        attempt.operation,
        arguments_of(attempt),
        verdict,
        ending,
        0.0 if outcome is None else outcome.duration,
        attempt.line,
    )
