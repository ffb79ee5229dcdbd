"""What a stored trail consists of: entries, each written once and never changed.

A record in memory changes when its handler ends; what is written first cannot. So an operation has
two entries: its attempt, written before its handler starts, and its outcome. An attempt that was
allowed and has no outcome is one whose host died, or could not write any more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from doublevm.guard.findings import lines_of
from doublevm.verdict import Allow, Deny, WouldDeny
from doublevm.wire.codec import decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doublevm.audit import AuditRecord
    from doublevm.verdict import Verdict

FORMAT: Final = 1
"""Version of the entries and their chain; ``Opened`` names it."""

Ending = Literal["returned", "raised", "abandoned", "scored"]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """Base of all entries."""


class Tried(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The verdict of a policy that is not enforced: the operation was let through."""

    would_deny: WouldDeny


if TYPE_CHECKING:
    StoredVerdict = Literal["allow"] | Deny | Tried
else:
    # Two kinds of objects, which msgspec tells apart by tags alone: an attempt does it itself.
    StoredVerdict = Literal["allow"] | dict[str, Any]


class Program(Entry, frozen=True, tag="program"):
    """The program of a run. It comes with the run's first operation, right before it."""

    enclave: str
    run: int
    """Those of its operations."""
    time: float
    """When it was written."""
    sha256: str
    """Of its source in UTF-8, in hexadecimal. Where something was left out of the source, what
    ``Redact`` has put in its place."""
    engine: Literal["monty", "cpython"] | None
    """None: it was blocked for its score, and has not run."""
    level: str
    """The security level."""
    session: bool
    """Whether it ran in a session: earlier runs of the enclave may have defined what it calls."""
    source: str | None = None
    """Its text, where the sink keeps that."""

    def text(self, line: int | None) -> str | None:
        """Return a line, without its end; None if the source was not kept or has no such line."""
        if self.source is None or line is None:
            return None
        lines = lines_of(self.source)
        return lines[line - 1] if 0 < line <= len(lines) else None

    def without_source(self) -> Program:
        """Return what is kept of it by itself."""
        return msgspec.structs.replace(self, source=None)


class Attempt(Entry, frozen=True, tag="attempt"):
    """An operation that was attempted. Unless its verdict is a ``Deny``, its handler runs next."""

    enclave: str
    """Which conversation it belongs to: a random name that no two of them share."""
    run: int
    number: int
    """As in AuditRecord: places within the enclave."""
    time: float
    """When the host learnt of it, in seconds since the epoch."""
    operation: str
    """Its name; empty for a program that was scored, as in AuditRecord."""
    arguments: dict[str, Any] | str
    """By name; where JSON does not keep them as they are, their encoding in hexadecimal."""
    verdict: StoredVerdict
    judged: float
    """When the parent VM judged it, by its own clock: what a replay goes by."""
    line: int | None = None
    """As in AuditRecord."""

    def __post_init__(self) -> None:
        """Make a verdict of what was read."""
        given: object = self.verdict
        if isinstance(given, dict):
            kind: Any = Tried if "would_deny" in given else Deny
            msgspec.structs.force_setattr(self, "verdict", msgspec.convert(given, kind))


class Ended(Entry, frozen=True, tag="outcome"):
    """What became of an attempt that was allowed."""

    enclave: str
    run: int
    number: int
    """Those of the attempt."""
    time: float
    """When it was written."""
    outcome: Ending
    duration: float
    """Seconds the handler took; 0.0 if it did not come to its end."""


class Opened(Entry, frozen=True, tag="opened"):
    """A process began to write. The first entry of every trail is one."""

    time: float
    trail: str
    """A random name: that of the whole trail, so that no part of another one fits in."""
    format: int
    process: int
    """The writing process's id."""
    torn: int
    """Bytes of an entry that was never written whole: they were cut off. Nothing followed on it."""


class Dropped(Entry, frozen=True, tag="dropped"):
    """So many entries were given up since the one before: the sink could not keep up."""

    time: float
    count: int


class Checkpoint(Entry, frozen=True, tag="checkpoint"):
    """A place in the chain, and a signature over all that is before it."""

    time: float
    trail: str
    seq: int
    """The entry that it is about: the one before."""
    hash: str
    """That entry's hash."""
    signer: Literal["hmac-sha256", "ed25519"] | None = None
    key: str | None = None
    """The fingerprint of the key."""
    signature: str | None = None
    """In hexadecimal."""


AnyEntry = Program | Attempt | Ended | Opened | Dropped | Checkpoint

encode_entry: Final = msgspec.json.Encoder(order="sorted").encode
"""Canonical JSON: keys sorted, no spaces, UTF-8, numbers as short as they can be read back."""

decode_entry: Final = msgspec.json.Decoder(AnyEntry).decode


def attempt_of(enclave: str, record: AuditRecord, judged: float) -> Attempt:
    """Return the entry that goes before the handler."""
    return Attempt(
        enclave,
        record.run,
        record.number,
        record.timestamp,
        record.operation,
        as_json(record.arguments),
        _stored(record.verdict),
        judged,
        record.line,
    )


def outcome_of(enclave: str, record: AuditRecord, now: float) -> Ended:
    """Return the entry that says what became of an operation; still pending is abandoned."""
    ending: Ending = "abandoned"
    if record.outcome in ("returned", "raised", "scored"):
        ending = record.outcome
    return Ended(enclave, record.run, record.number, now, ending, record.duration)


def verdict_of(attempt: Attempt) -> Verdict:
    """Return an attempt's verdict."""
    verdict = attempt.verdict
    if isinstance(verdict, Tried):
        return verdict.would_deny
    return verdict if isinstance(verdict, Deny) else Allow()


def _stored(verdict: Verdict) -> StoredVerdict:
    if isinstance(verdict, WouldDeny):
        return Tried(verdict)
    return verdict if isinstance(verdict, Deny) else "allow"


def arguments_of(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt's arguments as they were.

    Raises:
        ValueError: they are an encoding of something else.
    """
    given = attempt.arguments
    arguments = decode(bytes.fromhex(given)) if isinstance(given, str) else given
    if not isinstance(arguments, dict):
        raise ValueError("arguments that are not a dict")  # noqa: TRY004 - it is the text's fault
    return arguments


def as_json(arguments: Mapping[str, Any]) -> dict[str, Any] | str:
    """Return arguments as they are if JSON keeps them so, else their encoding in hexadecimal."""
    plain = dict(arguments)
    return plain if _is_kept(plain) else encode(plain).hex()


_PLAIN: Final = (bool, type(None))
_INTS: Final = range(-(2**63), 2**64)
"""Those that the JSON of msgspec writes and reads."""


def _is_kept(value: Any) -> bool:
    kind = type(value)
    if kind is str:
        return value.isascii() or _is_utf8(value)
    if kind is int:
        return value in _INTS
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return all(map(_is_kept, value))
    if kind is dict:
        return all(type(key) is str and _is_kept(key) and _is_kept(v) for key, v in value.items())
    return kind in _PLAIN


def _is_utf8(text: str) -> bool:
    """Whether it has no half of a character, which UTF-8 cannot write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
