"""Says whether a trail is as it was written, and where not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from doublevm.audit import GENESIS
from doublevm.host.sinks.entries import Attempt, Checkpoint, Dropped, Ended, Opened
from doublevm.host.sinks.reading import entry_of, read_trail
from doublevm.host.sinks.signing import signature_fault
from doublevm.verdict import Deny

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from doublevm.host.sinks.chain import Link
    from doublevm.host.sinks.entries import AnyEntry
    from doublevm.host.sinks.reading import Place
    from doublevm.host.sinks.signing import Verifier

Kind = Literal["cut", "changed", "reordered", "removed", "inserted", "signature"]

MOST_FAULTS: Final = 100
"""Faults that are told of: of a trail that was written anew, every entry is one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a trail is not as it was written, and how."""

    kind: Kind
    seq: int
    """The entry that should be there."""
    where: str
    """The line or row."""
    problem: str


@dataclass(slots=True)
class Verification:
    """What was found."""

    faults: list[Fault] = field(default_factory=list)
    """In the order of the trail, the first 100."""
    entries: int = 0
    attempts: int = 0
    unknown: int = 0
    """Allowed attempts without an outcome: their host died, or could not write any more."""
    dropped: int = 0
    """Entries that a sink which was not required has given up."""
    checkpoints: int = 0
    signed_to: int = 0
    """The last entry that a signature which was verified covers."""
    torn: bool = False
    """Whether it ends in half an entry: its host died while it wrote, and nothing followed."""
    last_seq: int = 0
    last_hash: str = GENESIS

    @property
    def ok(self) -> bool:
        """Whether there is no fault."""
        return not self.faults


def verify_trail(
    path: str | os.PathLike[str],
    *,
    verifier: Verifier | None = None,
    first: int = 1,
    last_hash: str | None = None,
) -> Verification:
    """Verify a stored trail.

    What was removed at its end leaves no gap: only ``last_hash`` can tell. What stands behind the
    last signature (``signed_to``) may have been written by anybody who can write the file.

    Args:
        path: the sink's file.
        verifier: each checkpoint has to be signed with its key, and there has to be one; None:
            signatures are not looked at.
        first: the entry it has to begin with; another than 1 if old pieces were deleted on purpose.
        last_hash: the sink's ``head.hash``, kept elsewhere; entries may have come after it.

    Raises:
        ConfigError: there is no trail.
    """
    return _Walk(verifier, first, last_hash).walk(read_trail(path).places())


class _Walk:
    """One way along a trail."""

    def __init__(self, verifier: Verifier | None, first: int, last_hash: str | None) -> None:
        self._verifier, self._last_hash = verifier, last_hash
        self._first = self._expected = first
        self._previous: str | None = GENESIS if first == 1 else None
        """What the next link has to name; None if that is not known."""
        self._trail: str | None = None
        self._pending: set[tuple[str, int]] = set()
        self._found_last = last_hash is None
        self.found = Verification()

    def walk(self, places: Iterable[Place]) -> Verification:
        where = "the end"
        for place in places:
            where = place.where
            if place.torn:
                # Only at the very end did no one follow on it.
                self.found.torn = True
            else:
                self._take(place)
        if self._expected == self._first:
            self._fault("cut", where, "there is nothing")
        if not self._found_last:
            self._fault("cut", where, "the end is missing: the hash that was kept is not there")
        if self._verifier is not None and not self.found.checkpoints:
            # Who writes a trail anew cannot sign, but can leave out what would have to be signed.
            self._fault("signature", where, "nothing of it is signed")
        self.found.unknown = len(self._pending)
        return self.found

    def _take(self, place: Place) -> None:
        link = place.link
        if self.found.torn:
            self.found.torn = False
            self._fault("changed", place.where, "half an entry stands before it")
        if link is None:
            self._fault("changed", place.where, "it is no entry any more")
            self._expected += 1
            self._previous = None
            return
        self.found.entries += 1
        self._look(link, place.where)
        self._expected, self._previous = link.seq + 1, link.hash
        self.found.last_seq, self.found.last_hash = link.seq, link.hash
        self._found_last = self._found_last or link.hash == self._last_hash

    def _look(self, link: Link, where: str) -> None:
        if link.seq > self._expected:
            kind: Kind = "cut" if self._expected == self._first else "removed"
            self._fault(kind, where, f"{_entries(self._expected, link.seq - 1)} missing before it")
        elif link.seq < self._expected:
            self._fault("reordered", where, f"entry {link.seq} stands in its place")
        elif self._previous is not None and link.previous != self._previous:
            self._fault("inserted", where, "it does not follow the entry before it")
        entry = entry_of(link)
        if link.hash != link.expected_hash:
            self._fault("changed", where, "it was changed", link.seq)
        elif entry is None:
            self._fault("changed", where, "it is no entry that this version knows", link.seq)
        else:
            self._read(entry, link, where)

    def _read(self, entry: AnyEntry, link: Link, where: str) -> None:
        match entry:
            case Attempt():
                self.found.attempts += 1
                if not isinstance(entry.verdict, Deny):
                    self._pending.add((entry.enclave, entry.number))
            case Ended():
                self._pending.discard((entry.enclave, entry.number))
            case Dropped():
                self.found.dropped += entry.count
            case Opened():
                self._belongs(entry.trail, link, where)
            case Checkpoint():
                self._check(entry, link, where)

    def _check(self, entry: Checkpoint, link: Link, where: str) -> None:
        self.found.checkpoints += 1
        self._belongs(entry.trail, link, where)
        if (entry.seq, entry.hash) != (link.seq - 1, link.previous):
            self._fault("signature", where, "the checkpoint is of another place", link.seq)
        elif self._verifier is not None:
            if problem := signature_fault(entry, self._verifier):
                self._fault("signature", where, problem, link.seq)
            elif self.ok_so_far:
                self.found.signed_to = entry.seq

    @property
    def ok_so_far(self) -> bool:
        return not self.found.faults

    def _belongs(self, trail: str, link: Link, where: str) -> None:
        self._trail = self._trail or trail
        if trail != self._trail:
            self._fault("inserted", where, "it is of another trail", link.seq)

    def _fault(self, kind: Kind, where: str, problem: str, seq: int | None = None) -> None:
        if len(self.found.faults) < MOST_FAULTS:
            seq = self._expected if seq is None else seq
            self.found.faults.append(Fault(kind, seq, where, problem))


def _entries(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"
