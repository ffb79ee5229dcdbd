"""What is said of a stored operation, in a terminal, in JSON and on the page."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, Protocol

from doublevm.cli.report import plain
from doublevm.host.sinks.filtering import verdict_name
from doublevm.verdict import Allow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doublevm.host.sinks.pairing import StoredOperation

STYLES: Final[Mapping[str, str]] = {
    "returned": "green",
    "scored": "green",
    "denied": "red",
    "unknown": "magenta",
}
"""The colours of outcomes; those that are not here are yellow."""


class Objection(Protocol):
    """A verdict that has reasons, whether it was enforced or not."""

    @property
    def address(self) -> str:
        """``barrier/rule``."""

    @property
    def reason(self) -> str:
        """What there is to object."""


def objection(operation: StoredOperation) -> Objection | None:
    """Return what objected to it, if anything did."""
    return None if isinstance(operation.verdict, Allow) else operation.verdict


def score_of(operation: StoredOperation) -> int | None:
    """Return a program's score, if it is one that was scored and no operation."""
    score = operation.arguments.get("score")
    return score if operation.outcome == "scored" and isinstance(score, int) else None


def name_of(operation: StoredOperation) -> str:
    """Return its name; a program that was scored has none."""
    return operation.operation or ("(program)" if operation.outcome == "scored" else "''")


def moment_text(seconds: float) -> str:
    """Return a time in UTC, ``2026-03-01 12:00:00.000``."""
    try:
        found = dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (ValueError, OverflowError, OSError):  # whoever wrote the trail wrote nonsense
        return f"{seconds} s"
    return found.strftime("%Y-%m-%d %H:%M:%S.") + f"{found.microsecond // 1000:03}"


def as_object(operation: StoredOperation) -> dict[str, Any]:
    """Return everything that the trail says of it, as JSON can."""
    denied = objection(operation)
    return {
        "seq": operation.seq,
        "enclave": operation.enclave,
        "run": operation.run,
        "number": operation.number,
        "time": operation.time,
        "operation": operation.operation,
        "arguments": plain(operation.arguments),
        "verdict": verdict_name(operation.verdict),
        "rule": None if denied is None else denied.address,
        "reason": None if denied is None else denied.reason,
        "outcome": operation.outcome,
        "duration": operation.duration,
        "line": operation.line,
    }
