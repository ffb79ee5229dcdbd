"""Reads trails: their links as they are written, and the operations that these speak of."""

from __future__ import annotations

import heapq
import itertools
import sqlite3
from collections import deque
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from doublevm.errors import ConfigError
from doublevm.host.sinks.chain import Link, decode_link
from doublevm.host.sinks.entries import (
    Attempt,
    Ended,
    Opened,
    Program,
    arguments_of,
    decode_entry,
    verdict_of,
)
from doublevm.host.sinks.filtering import Filter
from doublevm.host.sinks.jsonl import jsonl_lines, jsonl_pieces
from doublevm.host.sinks.queries import names, query
from doublevm.host.sinks.sqlite import check_is_trail
from doublevm.verdict import Deny

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from doublevm.host.sinks.entries import AnyEntry
    from doublevm.host.sinks.filtering import OutcomeName
    from doublevm.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Place:
    """A link in its file, or what stands in the place of one."""

    where: str
    """For people: ``trail.jsonl, line 7``."""
    link: Link | None
    """None: there is none to be read."""
    torn: bool = False
    """Whether it is the last line of a file, and not whole."""
    first: bool = False
    """Whether it is the first line of a file."""


@dataclass(frozen=True, slots=True)
class StoredOperation:
    """An operation as a trail has it: the attempt, and its outcome if that was written."""

    seq: int
    """The attempt's place in the trail."""
    enclave: str
    run: int
    number: int
    time: float
    operation: str
    arguments: Mapping[str, Any]
    """As they were kept: what was redacted is a text."""
    verdict: Verdict
    outcome: OutcomeName
    """``unknown``: it was allowed, and nobody wrote what became of it."""
    duration: float
    """Seconds the handler took; 0.0 if that is not known."""
    line: int | None = None
    """The program's line that made the call, as the inner VM said; None if it did not."""


class TrailReader(Protocol):
    """Reads one trail. What others append meanwhile may be seen or not."""

    def places(self) -> Iterator[Place]:
        """Return everything that is there, in its order."""

    def operations(
        self, wanted: Filter = ..., *, last: int | None = None, ordered: bool = True
    ) -> Iterator[StoredOperation]:
        """Return operations, oldest first.

        Args:
            wanted: which.
            last: only so many, the newest.
            ordered: False: in any order, each as soon as it is found; so those that ended late keep
                no other one in memory.

        Raises:
            ValueError: something there is no entry; ``verify_trail`` says what and where.
        """

    def programs(self) -> Iterator[Program]:
        """Return the programs of runs, in the order in which these attempted their first operation.

        Raises:
            ValueError: as ``operations`` does.
        """

    def program_of(self, operation: StoredOperation) -> Program | None:
        """Return the program that attempted an operation, if there is one.

        Raises:
            ValueError: as ``operations`` does.
        """


def read_trail(path: str | os.PathLike[str]) -> TrailReader:
    """Return what reads a trail, whichever sink has written it.

    Raises:
        ConfigError: there is none.
    """
    path = Path(path)
    return _Rows(path) if is_database(path) else _Lines(path)


def is_database(path: Path) -> bool:
    """Whether a trail is one of SqliteSink, and not of JsonlSink.

    Raises:
        ConfigError: there is no trail, or a database that is none.
    """
    if not jsonl_pieces(path):
        raise ConfigError(f"there is no trail {path}")
    if not path.exists() or not path.stat().st_size:
        return False  # an empty file would be a database for SQLite
    try:
        with connected(path) as connection:
            check_is_trail(connection, path)
    except sqlite3.DatabaseError:  # no database
        return False
    return True


EVERYTHING: Final = Filter()


class _Lines:
    """A trail of JsonlSink."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def places(self) -> Iterator[Place]:
        for piece, number, line in jsonl_lines(self._path):
            where = f"{piece.name}, line {number}"
            if not line.endswith(b"\n"):
                yield Place(where, None, torn=True)
                continue
            link = _decoded(line[:-1])
            whole = link is not None and link.line == line[:-1]
            yield Place(where, link if whole else None, first=number == 1)

    def operations(
        self, wanted: Filter = EVERYTHING, *, last: int | None = None, ordered: bool = True
    ) -> Iterator[StoredOperation]:
        found = self._found(wanted, ordered=ordered)
        return found if last is None else iter(deque(found, last))

    def _found(self, wanted: Filter, *, ordered: bool) -> Iterator[StoredOperation]:
        pairing, process = Pairing(wanted, ordered=ordered), None
        for place, link, entry in self._entries():
            if isinstance(entry, Opened):
                # Nothing that another process had begun can end any more. A new file is no new
                # process: it may have been begun while handlers ran.
                if entry.process != process or not place.first:
                    yield from pairing.rest()
                process = entry.process
            yield from pairing.take(link.seq, entry)
        yield from pairing.rest()

    def programs(self) -> Iterator[Program]:
        return (entry for _, _, entry in self._entries() if isinstance(entry, Program))

    def program_of(self, operation: StoredOperation) -> Program | None:
        run = (operation.enclave, operation.run)
        return next((each for each in self.programs() if (each.enclave, each.run) == run), None)

    def _entries(self) -> Iterator[tuple[Place, Link, AnyEntry]]:
        for place in self.places():
            if place.torn:
                continue
            entry = None if place.link is None else entry_of(place.link)
            if place.link is None or entry is None:
                raise ValueError(f"{place.where}: no entry")
            yield place, place.link, entry


class Pairing:
    """Brings attempts and their outcomes together as they come."""

    def __init__(self, wanted: Filter, *, ordered: bool) -> None:
        """Begin with none. ``ordered``: they leave in the order of their attempts."""
        self._wanted, self._ordered = wanted, ordered
        self._waiting: dict[tuple[str, int], tuple[int, Attempt]] = {}
        self._ended: dict[tuple[str, int], Ended] = {}

    def take(self, seq: int, entry: AnyEntry) -> Iterator[StoredOperation]:
        """Take an entry; return the operations that are complete now."""
        if isinstance(entry, Attempt):
            if self._wanted.fits(entry, seq):
                self._waiting[entry.enclave, entry.number] = (seq, entry)
                if not _has_outcome(entry):
                    yield from self._complete((entry.enclave, entry.number))
        elif isinstance(entry, Ended) and (entry.enclave, entry.number) in self._waiting:
            key = (entry.enclave, entry.number)
            self._ended[key] = entry
            yield from self._complete(key)

    def rest(self) -> Iterator[StoredOperation]:
        """Return those that have no outcome so far, and whatever waits behind them."""
        for key in list(self._waiting):
            yield from self._release(key)

    def _complete(self, key: tuple[str, int]) -> Iterator[StoredOperation]:
        if not self._ordered:
            yield from self._release(key)
            return
        while self._waiting:
            key = next(iter(self._waiting))
            if key not in self._ended and _has_outcome(self._waiting[key][1]):
                return
            yield from self._release(key)

    def _release(self, key: tuple[str, int]) -> Iterator[StoredOperation]:
        seq, attempt = self._waiting.pop(key)
        operation = _operation(seq, attempt, self._ended.pop(key, None))
        if self._wanted.outcome in (None, operation.outcome):
            yield operation


def _has_outcome(attempt: Attempt) -> bool:
    """Whether there will be an outcome: a denial is one itself, but for a program's."""
    return not isinstance(attempt.verdict, Deny) or attempt.verdict.barrier == "scoring"


class _Rows:
    """A trail of SqliteSink."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def places(self) -> Iterator[Place]:
        try:
            yield from self._places()
        except sqlite3.DatabaseError as error:
            yield Place(f"the database: {error}", None)

    def _places(self) -> Iterator[Place]:
        query = "SELECT seq, previous, hash, entry FROM links ORDER BY seq"
        with connected(self._path) as connection:
            for seq, previous, digest, entry in connection.execute(query):
                text = b'{"entry":%b,"hash":"%b","previous":"%b","seq":%d}' % (
                    entry.encode(),
                    digest.hex().encode(),
                    previous.hex().encode(),
                    seq,
                )
                yield Place(f"row {seq}", _decoded(text))

    def operations(
        self, wanted: Filter = EVERYTHING, *, last: int | None = None, ordered: bool = True
    ) -> Iterator[StoredOperation]:
        del ordered  # each row brings its outcome along, so the order costs nothing
        with self._connected() as connection:
            rows = _rows(connection, wanted, last)
            for _, seq, attempt, outcome in rows if last is None else reversed(list(rows)):
                ended = None if outcome is None else decode_entry(outcome)
                yield _operation(seq, decode_entry(attempt), ended)

    def programs(self) -> Iterator[Program]:
        return self._programs(_PROGRAMS, ())

    def program_of(self, operation: StoredOperation) -> Program | None:
        run = (operation.enclave, operation.run)
        return next(self._programs(_PROGRAM_OF, run), None)

    def _programs(self, query: str, values: Sequence[Any]) -> Iterator[Program]:
        with self._connected() as connection:
            for (program,) in connection.execute(query, values):
                yield decode_entry(program)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Connect to read.

        Raises:
            ValueError: something there is no entry.
        """
        try:
            with connected(self._path) as connection:
                yield connection
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            raise ValueError(f"{self._path}: {error}") from None


_PROGRAMS: Final = "SELECT entry FROM links WHERE kind = 'program' ORDER BY seq"
_PROGRAM_OF: Final = """
SELECT entry FROM links INDEXED BY by_number
WHERE (enclave, run) = (?, ?) AND number IS NULL AND kind = 'program' ORDER BY seq"""


def _rows(
    connection: sqlite3.Connection, wanted: Filter, last: int | None
) -> Iterator[tuple[float, int, str, str | None]]:
    each = names(connection, wanted)
    if each is None:
        return connection.execute(*query(wanted, last=last))
    # Each name's rows are in order: as many queries, of which the first row next is taken.
    found = [connection.execute(*query(wanted, name=name, last=last)) for name in each]
    merged = heapq.merge(*found, key=lambda row: row[:2], reverse=last is not None)
    return itertools.islice(merged, last)


def _operation(seq: int, attempt: Attempt, outcome: Ended | None) -> StoredOperation:
    verdict = verdict_of(attempt)
    ending: OutcomeName = "unknown"
    if outcome is not None:
        ending = outcome.outcome
    elif not verdict.allowed:
        ending = "denied"
    return StoredOperation(
        seq,
        attempt.enclave,
        attempt.run,
        attempt.number,
        attempt.time,
        attempt.operation,
        arguments_of(attempt),
        verdict,
        ending,
        0.0 if outcome is None else outcome.duration,
        attempt.line,
    )


def entry_of(link: Link) -> AnyEntry | None:
    """Return a link's entry, or None if it is none that this version knows."""
    try:
        entry: AnyEntry = decode_entry(link.entry)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return entry


def _decoded(text: bytes) -> Link | None:
    try:
        link: Link = decode_link(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return link


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Connect to read. Not ``mode=ro``: then the log of a host that died could not be read."""
    address = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only = ON")
        yield connection
