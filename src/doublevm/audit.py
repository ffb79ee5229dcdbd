"""The record of what guests attempted: one record an operation, chained so that changes show."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from doublevm.shapes import brief
from doublevm.verdict import Allow, Deny, WouldDeny
from doublevm.wire.codec import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from doublevm.host.sinks.base import Sink
    from doublevm.host.sinks.entries import Attempt, Checkpoint, Dropped, Ended, Opened, Program
    from doublevm.host.sinks.filtering import Filter
    from doublevm.host.sinks.function import CallableSink
    from doublevm.host.sinks.jsonl import JsonlSink
    from doublevm.host.sinks.otel import OpenTelemetrySink
    from doublevm.host.sinks.pairing import StoredOperation
    from doublevm.host.sinks.reading import read_trail
    from doublevm.host.sinks.redact import Redact
    from doublevm.host.sinks.replaying import Change, Example, Replay, replay
    from doublevm.host.sinks.signing import Ed25519Signer, Ed25519Verifier, HmacKey
    from doublevm.host.sinks.sqlite import SqliteSink
    from doublevm.host.sinks.verifying import Fault, Verification, verify_trail
    from doublevm.verdict import Verdict

_HOMES: Final = {
    "Attempt": "entries",
    "CallableSink": "function",
    "Change": "replaying",
    "Checkpoint": "entries",
    "Dropped": "entries",
    "Ed25519Signer": "signing",
    "Ed25519Verifier": "signing",
    "Ended": "entries",
    "Example": "replaying",
    "Fault": "verifying",
    "Filter": "filtering",
    "HmacKey": "signing",
    "JsonlSink": "jsonl",
    "OpenTelemetrySink": "otel",
    "Opened": "entries",
    "Program": "entries",
    "Redact": "redact",
    "Replay": "replaying",
    "Sink": "base",
    "SqliteSink": "sqlite",
    "StoredOperation": "pairing",
    "Verification": "verifying",
    "read_trail": "reading",
    "replay": "replaying",
    "verify_trail": "verifying",
}
"""Names of this module that are the host's, and the modules of ``host/sinks/`` they are in."""

__all__ = [
    "GENESIS",
    "Attempt",
    "AuditRecord",
    "CallableSink",
    "ChainFault",
    "Change",
    "Checkpoint",
    "Dropped",
    "Ed25519Signer",
    "Ed25519Verifier",
    "Ended",
    "Example",
    "Fault",
    "Filter",
    "HmacKey",
    "JsonlSink",
    "OpenTelemetrySink",
    "Opened",
    "Outcome",
    "Program",
    "Redact",
    "Replay",
    "Sink",
    "SqliteSink",
    "StoredOperation",
    "Verification",
    "digest",
    "read_trail",
    "replay",
    "verify",
    "verify_trail",
]

Outcome = Literal["pending", "returned", "raised", "denied", "abandoned", "scored"]

_IN_REPR: Final = (
    *("number", "run", "operation", "arguments", "verdict", "outcome", "duration", "line"),
)
_SHOWN: Final = 300
"""Characters of a field in a record's repr."""

GENESIS: Final = "0" * 64
"""What the first record of an enclave names as the hash before it."""


@dataclass(frozen=True, slots=True, repr=False)
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
    """``Allow()``, ``Deny(barrier, rule, reason)``, or ``WouldDeny`` of the same."""
    outcome: Outcome
    """What became of it. ``pending``: its handler runs. ``abandoned``: the run ended before the
    handler did. ``scored``: it is no operation but a program that was scored: its operation has no
    name, its arguments are the score, and its verdict is whether the program might run."""
    duration: float
    """Seconds the handler took; 0.0 if none ran to its end. Of a score: until it was there."""
    line: int | None = None
    """The program's line that made the call, from 1, where the engine gives it. A claim of the
    inner VM: what has broken out of the interpreter there can say any."""
    previous_hash: str = ""
    """``hash`` of the record before; GENESIS for the first. Empty until the run has ended."""
    hash: str = ""
    """SHA-256 over all the other fields, in hexadecimal. Empty until the run has ended."""

    def __repr__(self) -> str:
        """Say the most of it in short: a guest chooses arguments that no log should break upon."""
        shown = {name: brief(getattr(self, name), _SHOWN) for name in _IN_REPR}
        return f"AuditRecord({', '.join(f'{name}={text}' for name, text in shown.items())})"

    def sealed(self, previous_hash: str) -> AuditRecord:
        """Return the record with its place in the chain: it must not change any more."""
        encoded = encode(dict(self.arguments))
        return self.ended(self.outcome, self.duration, previous_hash, encoded)

    def ended(
        self, outcome: Outcome, duration: float, previous_hash: str, encoded: bytes
    ) -> AuditRecord:
        """Return the record with what became of the operation, sealed.

        ``encoded`` is the encoding of its arguments. Written out, as ``dataclasses.replace`` takes
        five times as long, for every call of a tool.
        """
        return AuditRecord(
            self.number,
            self.run,
            self.timestamp,
            self.operation,
            self.arguments,
            self.verdict,
            outcome,
            duration,
            self.line,
            previous_hash,
            _digest(self, outcome, duration, previous_hash, encoded),
        )

    def to_json(self) -> str:
        """Return the record as one line of JSON, which ``from_json`` reads."""
        line = {field.name: getattr(self, field.name) for field in fields(self)}
        line["arguments"] = _as_json(dict(self.arguments))
        line["verdict"] = verdict_as_json(self.verdict)
        return json.dumps(line)

    @staticmethod
    def from_json(text: str) -> AuditRecord:
        """Return the record that ``to_json`` wrote; whether it was changed is for ``verify``.

        Raises:
            ValueError: the text is no record.
        """
        try:
            line = msgspec.convert(json.loads(text), _Line)
            given = line.arguments
            arguments = decode(bytes.fromhex(given)) if isinstance(given, str) else given
            encode(arguments, "arguments")
            verdict = _verdict(line.verdict)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ValueError(f"not an audit record: {error}") from None
        if not isinstance(arguments, dict):
            raise ValueError("not an audit record: arguments that are not a dict")  # noqa: TRY004 - documented
        rest = {name: getattr(line, name) for name in _Line.__struct_fields__}
        return AuditRecord(**rest | {"arguments": arguments, "verdict": verdict})


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record's fields as JSON has them."""

    number: int
    run: int
    timestamp: float
    operation: str
    arguments: dict[str, Any] | str
    verdict: Literal["allow"] | dict[str, Any]
    outcome: Outcome
    duration: float
    previous_hash: str
    hash: str
    line: int | None = None


class _Tried(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ``WouldDeny`` as JSON has it."""

    would_deny: WouldDeny


def verdict_as_json(verdict: Verdict) -> str | dict[str, Any]:
    """Return a verdict as records have it in JSON."""
    if isinstance(verdict, Allow):
        return "allow"
    fields_by_name = asdict(verdict)
    return fields_by_name if isinstance(verdict, Deny) else {"would_deny": fields_by_name}


def _verdict(given: str | dict[str, Any]) -> Verdict:
    """Return the verdict that JSON has.

    Raises:
        msgspec.ValidationError: it has none.
    """
    if isinstance(given, str):
        return Allow()
    if "would_deny" in given:
        return msgspec.convert(given, _Tried).would_deny
    return msgspec.convert(given, Deny)


def _as_json(arguments: dict[str, Any]) -> dict[str, Any] | str:
    """Return them as they are if JSON keeps them so, else their encoding in hexadecimal."""
    encoded = encode(arguments)
    with contextlib.suppress(ValueError, TypeError):  # a NaN; or bytes, sets and the like
        if encode(json.loads(json.dumps(arguments, allow_nan=False))) == encoded:
            return arguments
    return encoded.hex()


def digest(record: AuditRecord) -> str:
    """Return the hash a record should have.

    SHA-256 over canonical JSON: a list of the fields in their order, without spaces; the arguments
    as the hexadecimal of their encoding, which keeps types that JSON has not; the verdict as null,
    as the barrier, rule and reason of a denial, or as an object with those of a would-be denial; no
    ``line`` where there is none, as in records that were kept before there were any.
    """
    encoded = encode(dict(record.arguments))
    return _digest(record, record.outcome, record.duration, record.previous_hash, encoded)


def _digest(
    record: AuditRecord, outcome: Outcome, duration: float, previous_hash: str, encoded: bytes
) -> str:
    # Put together by hand: for a list, the encoder is made anew each time, which takes longer than
    # all else here. For a single text it is not.
    verdict = record.verdict
    denial = "null"
    if isinstance(verdict, Deny):
        denial = _canonical([verdict.barrier, verdict.rule, verdict.reason])
    elif isinstance(verdict, WouldDeny):
        denial = _canonical({"would_deny": [verdict.barrier, verdict.rule, verdict.reason]})
    line = "" if record.line is None else f"{_number(record.line)},"
    text = (
        f"[{_number(record.number)},{_number(record.run)},{_number(record.timestamp)},"
        f'{_canonical(record.operation)},"{encoded.hex()}",{denial},{_canonical(outcome)},'
        f"{_number(duration)},{line}{_canonical(previous_hash)}]"
    )
    return hashlib.sha256(text.encode()).hexdigest()


_canonical: Final = json.JSONEncoder(separators=(",", ":")).encode


def _number(value: float) -> str:
    """Return a number as JSON writes it."""
    plain = type(value) is int or (type(value) is float and math.isfinite(value))
    return repr(value) if plain else _canonical(value)


@dataclass(frozen=True, slots=True)
class ChainFault:
    """Where a chain of records is broken, and how."""

    number: int
    """The number that was expected at the place of the fault."""
    problem: str
    """What is wrong there."""


def verify(
    records: Iterable[AuditRecord], *, first: int | None = None, last_hash: str | None = None
) -> ChainFault | None:
    """Return the first fault in a run of records, or None if each is as it was sealed.

    From the first to the last of them none may be changed, removed, added or reordered. What was
    removed at either end leaves no gap.

    Args:
        records: those to be checked.
        first: the number they have to begin with, 1 for all of an enclave's; None: any.
        last_hash: the ``hash`` of the last one, kept elsewhere; None: they may end anywhere.
    """
    expected = first
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


def __getattr__(name: str) -> Any:
    """Load a sink, or what reads a trail, on first use: no VM may load the host's code."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"doublevm.host.sinks.{home}"), name)
    globals()[name] = value
    return value
