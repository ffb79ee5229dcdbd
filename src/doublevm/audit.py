"""The record of what guests attempted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doublevm.verdict import Verdict

Outcome = Literal["returned", "raised", "denied", "abandoned"]


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
    """What became of it. ``abandoned``: the run ended before the handler did."""
    duration: float
    """Seconds the handler took; 0.0 if none ran."""
