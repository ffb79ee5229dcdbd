"""An enclave's audit records, from the first attempt of its first run on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from doublevm.audit import GENESIS, AuditRecord, Outcome
from doublevm.wire.codec import encode
from doublevm.wire.frames import Remembered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doublevm.verdict import Deny, Verdict


class RunEndedError(Exception):
    """An operation came from a run that has been given up: it must not be begun."""


class Open:
    """An attempt of the run under way: what becomes of it is not known, or not sealed."""

    __slots__ = (
        "arguments",
        "duration",
        "encoded",
        "judged",
        "line",
        "operation",
        "outcome",
        "timestamp",
        "verdict",
    )

    def __init__(
        self,
        timestamp: float,
        operation: str,
        arguments: Mapping[str, Any],
        verdict: Verdict,
        encoded: bytes,
        judged: float | None = None,
        line: int | None = None,
    ) -> None:
        """Take what is known. ``encoded`` is the encoding of ``arguments``.

        ``judged`` is when the parent VM judged it; None: at ``timestamp``.
        """
        self.timestamp, self.operation, self.arguments = timestamp, operation, arguments
        self.verdict, self.encoded, self.line = verdict, encoded, line
        self.judged = timestamp if judged is None else judged
        self.outcome: Outcome = "pending" if verdict.allowed else "denied"
        self.duration = 0.0

    def record(self, number: int, run: int) -> AuditRecord:
        """Return it as it is now."""
        fields = (self.timestamp, self.operation, self.arguments, self.verdict)
        return AuditRecord(number, run, *fields, self.outcome, self.duration, self.line)

    def sealed(self, number: int, run: int, previous_hash: str) -> AuditRecord:
        """Return it for good."""
        outcome: Outcome = "abandoned" if self.outcome == "pending" else self.outcome
        return self.record(number, run).ended(outcome, self.duration, previous_hash, self.encoded)


class Trail:
    """Appended to when an operation is learnt of, before its handler runs; sealed run by run.

    The thread of a run that was given up may still be on its way with a call, or back from a
    handler. What it brings then comes too late, wholly: hence the lock.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._sealed: list[AuditRecord] = []
        self._open: list[Open] = []
        """Behind those, the attempts of the run under way."""
        self._judged: list[float] = []
        """When each was judged, in the parent VM."""
        self._run = self._ended_run = 0
        self._lock = threading.Lock()

    @property
    def records(self) -> tuple[AuditRecord, ...]:
        """All records; those of a run under way are not sealed yet."""
        return self.since(0)

    def __len__(self) -> int:
        return len(self._sealed) + len(self._open)

    def since(self, place: int) -> tuple[AuditRecord, ...]:
        """Return the records from ``place`` on."""
        with self._lock:
            first = len(self._sealed)
            skipped = max(0, place - first)
            rest = enumerate(self._open[skipped:], first + skipped + 1)
            return (*self._sealed[place:], *(entry.record(n, self._run) for n, entry in rest))

    def at(self, place: int) -> AuditRecord:
        """Return the record at ``place``."""
        with self._lock:
            index = place - len(self._sealed)
            if index < 0:
                return self._sealed[place]
            return self._open[index].record(place + 1, self._run)

    def add(self, run: int, entry: Open) -> int:
        """Record an attempt; return its place.

        Raises:
            RunEndedError: the run has ended.
        """
        with self._lock:
            if run <= self._ended_run:
                raise RunEndedError
            self._run = run
            self._open.append(entry)
            self._judged.append(entry.judged)
            return len(self._sealed) + len(self._open) - 1

    def scored(
        self,
        run: int,
        timestamp: float,
        arguments: Mapping[str, Any],
        verdict: Verdict,
        duration: float,
    ) -> None:
        """Record that a program was scored.

        Raises:
            RunEndedError: the run has ended.
        """
        encoded = encode(dict(arguments))
        place = self.add(run, Open(timestamp, "", arguments, verdict, encoded))
        self.ended(place, "scored", duration)

    def ended(self, place: int, outcome: Outcome, duration: float) -> None:
        """Record how an allowed operation ended."""
        with self._lock:
            index = place - len(self._sealed)
            if index >= 0:
                entry = self._open[index]
                entry.outcome, entry.duration = outcome, duration

    def judged(self, place: int) -> float:
        """Return when an attempt was judged, in seconds since the epoch."""
        return self._judged[place]

    def denied(self, place: int, verdict: Deny) -> None:
        """Record that the host denied what the parent VM, or a score, had let through.

        Raises:
            RunEndedError: the run has ended.
        """
        with self._lock:
            index = place - len(self._sealed)
            if index < 0:
                raise RunEndedError
            entry = self._open[index]
            entry.verdict = verdict
            if entry.outcome != "scored":
                entry.outcome = "denied"

    def check_open(self, run: int) -> None:
        """Make sure that a run goes on.

        Raises:
            RunEndedError: it has ended.
        """
        with self._lock:
            if run <= self._ended_run:
                raise RunEndedError

    def seal(self, run: int) -> None:
        """End a run and chain its records; what is pending then was abandoned."""
        with self._lock:
            self._ended_run = max(run, self._ended_run)
            previous = self._sealed[-1].hash if self._sealed else GENESIS
            for entry in self._open:
                record = entry.sealed(len(self._sealed) + 1, self._run, previous)
                self._sealed.append(record)
                previous = record.hash
            self._open.clear()

    def remembered(self, since: float) -> list[Remembered]:
        """Return what a new parent VM has to know: the attempts since a time, oldest first.

        INVARIANT: their times are those they were judged by, or the new one would judge otherwise
        than the one that knew them.
        """
        recent: list[Remembered] = []
        last = float("inf")
        records = self.records
        for record, judged in zip(
            reversed(records), reversed(self._judged[: len(records)]), strict=True
        ):
            if judged <= since:
                break
            if record.outcome == "scored":
                continue
            # The system's clock may have been set back between two records.
            last = min(last, judged)
            args = encode(dict(record.arguments))
            recent.append(Remembered(record.operation, args, last, record.verdict.allowed))
        return recent[::-1]
