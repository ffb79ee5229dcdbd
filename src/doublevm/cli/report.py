"""A result as JSON, for scripts."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from doublevm.verdict import Deny

if TYPE_CHECKING:
    from doublevm.audit import AuditRecord
    from doublevm.confinement import Confinement
    from doublevm.result import RunResult


LONGEST_INT: Final = 14_000
"""Bits: Python refuses to write ints of more than 4,300 digits; in hexadecimal it does."""


def as_json(result: RunResult) -> str:
    """Return the result as one JSON object and a newline."""
    error = result.error
    stats = result.stats
    report = {
        "success": result.success,
        "value": plain(result.value),
        "error": None
        if error is None
        else {
            "code": error.code,
            "type": error.type,
            "message": error.message,
            "line": error.line,
            "traceback": error.traceback,
            "operation": error.operation,
            "findings": [asdict(finding) for finding in error.findings],
        },
        "stdout": result.stdout,
        "stderr": result.stderr,
        "stats": {name: getattr(stats, name) for name in stats.__slots__},
        "operations": [_operation(each) for each in result.audit if each.outcome != "scored"],
        "findings": [asdict(finding) for finding in result.findings],
        "score": None if result.score is None else msgspec.to_builtins(result.score),
        "confinement": _confinement(result.confinement),
    }
    return json.dumps(report, indent=2) + "\n"


def _confinement(confinement: Confinement | None) -> dict[str, Any] | None:
    if confinement is None:
        return None
    return {"rung": confinement.rung.label, "missing": dict(confinement.missing)}


def _operation(record: AuditRecord) -> dict[str, Any]:
    verdict = record.verdict
    return {
        "number": record.number,
        "timestamp": record.timestamp,
        "operation": record.operation,
        "arguments": plain(record.arguments),
        "allowed": verdict.allowed,
        "denied_by": verdict.address if isinstance(verdict, Deny) else None,
        "reason": verdict.reason if isinstance(verdict, Deny) else None,
        "outcome": record.outcome,
        "duration": record.duration,
        "line": record.line,
    }


def plain(value: Any) -> Any:
    """Return what JSON can say of a value: bytes as base64, sets as lists, the rest as text.

    Very long ints are text in hexadecimal.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and value.bit_length() > LONGEST_INT:
        return hex(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value), key=repr)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
