"""An enclave's audit records, from the first attempt of its first run on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from doublevm.audit import GENESIS, AuditRecord, Outcome
from doublevm.verdict import Allow
from doublevm.wire.codec import encode
from doublevm.wire.frames import Remembered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doublevm.verdict import Verdict


class RunEndedError(Exception):
    """An operation came from a run that has been given up: it must not be begun."""


class Trail:
    """Appended to when an operation is learnt of, before its handler runs; sealed run by run.

    The thread of a run that was given up may still be on its way with a call, or back from a
    handler. What it brings then comes too late, wholly: hence the lock.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._records: list[AuditRecord] = []
        self._sealed = self._ended_run = 0
        self._encoded: list[bytes] = []
        """The arguments of those that are not sealed yet, encoded."""
        self._lock = threading.Lock()

    @property
    def records(self) -> tuple[AuditRecord, ...]:
        """All records; those of a run under way are not sealed yet."""
        return tuple(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def since(self, place: int) -> tuple[AuditRecord, ...]:
        """Return the records from ``place`` on."""
        return tuple(self._records[place:])

    def add(
        self,
        run: int,
        timestamp: float,
        operation: str,
        arguments: Mapping[str, Any],
        verdict: Verdict,
        encoded: bytes,
    ) -> int:
        """Record an attempt; return its place. ``encoded`` is the encoding of ``arguments``.

        Raises:
            RunEndedError: the run has ended.
        """
        outcome: Outcome = "pending" if isinstance(verdict, Allow) else "denied"
        with self._lock:
            if run <= self._ended_run:
                raise RunEndedError
            place = len(self._records)
            self._encoded.append(encoded)
            self._records.append(
                AuditRecord(place + 1, run, timestamp, operation, arguments, verdict, outcome, 0.0)
            )
        return place

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
        place = self.add(run, timestamp, "", arguments, verdict, encoded)
        self.ended(place, "scored", duration)

    def ended(self, place: int, outcome: Outcome, duration: float) -> None:
        """Record how an allowed operation ended."""
        with self._lock:
            if place >= self._sealed:
                self._records[place] = self._records[place].ended(outcome, duration)

    def seal(self, run: int) -> None:
        """End a run and chain its records; what is pending then was abandoned."""
        with self._lock:
            self._ended_run = max(run, self._ended_run)
            self._seal()

    def _seal(self) -> None:
        previous = self._records[self._sealed - 1].hash if self._sealed else GENESIS
        for place, encoded in enumerate(self._encoded, self._sealed):
            record = self._records[place]
            outcome: Outcome = "abandoned" if record.outcome == "pending" else record.outcome
            record = record.ended(outcome, record.duration, previous, encoded)
            self._records[place] = record
            previous = record.hash
        self._sealed = len(self._records)
        self._encoded.clear()

    def remembered(self, since: float) -> list[Remembered]:
        """Return what a new parent VM has to know: the attempts since a time, oldest first."""
        recent: list[Remembered] = []
        last = float("inf")
        for record in reversed(self._records):
            if record.timestamp <= since:
                break
            if record.outcome == "scored":
                continue
            # The system's clock may have been set back between two records.
            last = min(last, record.timestamp)
            args = encode(dict(record.arguments))
            recent.append(Remembered(record.operation, args, last, record.verdict.allowed))
        return recent[::-1]
