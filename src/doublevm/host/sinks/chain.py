"""The chain: each entry with its place, the hash before it and its own.

A link is canonical JSON, ``{"entry":…,"hash":…,"previous":…,"seq":…}``; its hash is the SHA-256 of
the same without ``"hash"``. So a trail can be verified with nothing but a JSON reader and SHA-256.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from doublevm.audit import GENESIS
from doublevm.host.sinks.entries import encode_entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doublevm.host.sinks.entries import AnyEntry


class Head(msgspec.Struct, frozen=True):
    """Where a chain ends."""

    seq: int = 0
    """How many links it has."""
    hash: str = GENESIS
    """That of the last one."""


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry in its place."""

    seq: int
    """From 1."""
    previous: str
    """The hash of the link before; GENESIS for the first."""
    hash: str
    entry: msgspec.Raw
    """The entry, as canonical JSON."""

    @property
    def expected_hash(self) -> str:
        """The hash that it should have."""
        return _hash(bytes(self.entry), self.previous, self.seq)

    @property
    def line(self) -> bytes:
        """The link as canonical JSON."""
        return b'{"entry":%b,"hash":"%b","previous":"%b","seq":%d}' % (
            bytes(self.entry),
            self.hash.encode(),
            self.previous.encode(),
            self.seq,
        )


decode_link: Final = msgspec.json.Decoder(Link).decode


def chained(head: Head, entries: Iterable[AnyEntry]) -> list[Link]:
    """Return the links that follow ``head``."""
    links = []
    seq, previous = head.seq, head.hash
    for entry in entries:
        seq += 1
        encoded = encode_entry(entry)
        digest = _hash(encoded, previous, seq)
        links.append(Link(seq, previous, digest, msgspec.Raw(encoded)))
        previous = digest
    return links


def _hash(entry: bytes, previous: str, seq: int) -> str:
    text = b'{"entry":%b,"previous":"%b","seq":%d}' % (entry, previous.encode(), seq)
    return hashlib.sha256(text).hexdigest()
