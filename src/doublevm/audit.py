"""The record of what guests attempted: one record an operation, chained so that changes show."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from doublevm.verdict import Deny
from doublevm.wire.codec import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from doublevm.verdict import Verdict

Outcome = Literal["pending", "returned", "raised", "denied", "abandoned"]

GENESIS: Final = "0" * 64
"""What the first record of an enclave names as the hash before it."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One attempted operation, allowed or not."""

    number: int
    """Place in the enclave's history, from 1."""
    run: int
    """Which run of the enclave it belongs to, from 1."""
    timestamp: float
    """When the host learnt of it, in seconds since the epoch."""
    operation: str
    """The name the guest used."""
    arguments: Mapping[str, Any]
    """The arguments by name, as far as they could be read."""
    verdict: Verdict
    """``Allow()`` or ``Deny(barrier, rule, reason)``."""
    outcome: Outcome
    """What became of it. ``pending``: its handler runs. ``abandoned``: the run ended before the
    handler did."""
    duration: float
    """Seconds the handler took; 0.0 if none ran to its end."""
    previous_hash: str = ""
    """``hash`` of the record before; GENESIS for the first. Empty until the run has ended."""
    hash: str = ""
    """SHA-256 over all the other fields, in hexadecimal. Empty until the run has ended."""

    def sealed(self, previous_hash: str) -> AuditRecord:
        """Return the record with its place in the chain: it must not change any more."""
        linked = replace(self, previous_hash=previous_hash, hash="")
        return replace(linked, hash=digest(linked))


def digest(record: AuditRecord) -> str:
    """Return the hash a record should have.

    SHA-256 over canonical JSON: a list of the fields in their order, without spaces; the arguments
    as the hexadecimal of their encoding, which keeps types that JSON has not.
    """
    verdict = record.verdict
    denial = [verdict.barrier, verdict.rule, verdict.reason] if isinstance(verdict, Deny) else None
    fields = [
        record.number,
        record.run,
        record.timestamp,
        record.operation,
        encode(dict(record.arguments)).hex(),
        denial,
        record.outcome,
        record.duration,
        record.previous_hash,
    ]
    text = json.dumps(fields, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ChainFault:
    """Where a chain of records is broken, and how."""

    number: int
    """The number that was expected at the place of the fault."""
    problem: str
    """What is wrong there."""


def verify(records: Iterable[AuditRecord], *, last_hash: str | None = None) -> ChainFault | None:
    """Return the first fault in a run of records, or None if each is as it was sealed.

    Records may begin anywhere; from there on none may be changed, removed, added or reordered. Ones
    removed at the end leave no gap: keep the ``hash`` of the last one elsewhere, and give it as
    ``last_hash``.
    """
    expected: int | None = None
    previous: str | None = None
    for record in records:
        expected = record.number if expected is None else expected
        if previous is None and record.number == 1:
            previous = GENESIS
        fault = _fault(record, expected, previous)
        if fault is not None:
            return ChainFault(expected, fault)
        expected, previous = expected + 1, record.hash
    if last_hash is not None and previous != last_hash:
        return ChainFault(expected or 1, "records are missing at the end")
    return None


def _fault(record: AuditRecord, expected: int, previous: str | None) -> str | None:
    if record.number != expected:
        return f"record {record.number} stands in its place"
    if not record.hash:
        return "it has not been sealed: its run has not ended"
    if record.hash != digest(record):
        return "it was changed"
    if previous is not None and record.previous_hash != previous:
        return "it does not follow the record before it"
    return None
