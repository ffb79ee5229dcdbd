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
    Program,
    decode_entry,
)
from doublevm.host.sinks.filtering import Filter
from doublevm.host.sinks.jsonl import jsonl_lines, jsonl_pieces
from doublevm.host.sinks.pairing import (
    Key,
    Pairing,
    StoredOperation,
    has_outcome,
    key_of,
    operation_of,
)
from doublevm.host.sinks.queries import names, query
from doublevm.host.sinks.sqlite import check_is_trail, has_own_schema

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator, Sequence

    from doublevm.host.sinks.entries import AnyEntry


@dataclass(frozen=True, slots=True)
class Place:
    """A link in its file, or what stands in the place of one."""

    where: str
    """For people: ``trail.jsonl, line 7``."""
    link: Link | None
    """None: there is none to be read."""
    torn: bool = False
    """Whether it is the last line of a file, and not whole."""


class HasPlaces(Protocol):
    """What can be gone through link by link."""

    def places(self) -> Iterator[Place]:
        """Return everything that is there, in its order."""


class TrailReader(HasPlaces, Protocol):
    """Reads one trail. What others append meanwhile may be seen or not."""

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
        ConfigError: there is no trail, it cannot be read, or is a database that is none.
    """
    if not jsonl_pieces(path):
        raise ConfigError(f"there is no trail {path}")
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return False
        with connected(path) as connection:
            check_is_trail(connection, path)
    except FileNotFoundError:  # its newest piece has not been begun
        return False
    except (OSError, sqlite3.OperationalError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except sqlite3.DatabaseError:  # a damaged one: who reads its rows will say so
        return True
    return True


EVERYTHING: Final = Filter()

_MAGIC: Final = b"SQLite format 3\0"
"""How each database begins: https://sqlite.org/fileformat2.html#magic_header_string."""


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
            yield Place(where, link if link is not None and link.line == line[:-1] else None)

    def operations(
        self, wanted: Filter = EVERYTHING, *, last: int | None = None, ordered: bool = True
    ) -> Iterator[StoredOperation]:
        found = self._found(wanted, ordered=ordered)
        return found if last is None else iter(deque(found, last))

    def _found(self, wanted: Filter, *, ordered: bool) -> Iterator[StoredOperation]:
        # Those for which no outcome will come: nothing waits for them.
        endless = self._endless(wanted) if ordered else frozenset()
        pairing = Pairing(wanted, ordered=ordered, endless=endless)
        for link, entry in self._entries():
            yield from pairing.take(link.seq, entry)
        yield from pairing.rest()

    def _endless(self, wanted: Filter) -> Collection[Key]:
        found: set[Key] = set()
        for link, entry in self._entries():
            if isinstance(entry, Attempt) and wanted.fits(entry, link.seq) and has_outcome(entry):
                found.add(key_of(entry))
            elif isinstance(entry, Ended):
                found.discard(key_of(entry))
        return found

    def programs(self) -> Iterator[Program]:
        return (entry for _, entry in self._entries() if isinstance(entry, Program))

    def program_of(self, operation: StoredOperation) -> Program | None:
        run = (operation.enclave, operation.run)
        return next((each for each in self.programs() if (each.enclave, each.run) == run), None)

    def _entries(self) -> Iterator[tuple[Link, AnyEntry]]:
        for place in self.places():
            if place.torn:
                continue
            entry = None if place.link is None else entry_of(place.link)
            if place.link is None or entry is None:
                raise ValueError(f"{place.where}: no entry")
            yield place.link, entry


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
            if not has_own_schema(connection):
                yield Place("the database: its table and indexes are not those of a trail", None)
                return
            for seq, previous, digest, entry in connection.execute(query):
                text = b'{"entry":%b,"hash":"%b","previous":"%b","seq":%d}' % (
                    entry.encode(),
                    digest.hex().encode(),
                    previous.hex().encode(),
                    seq,
                )
                yield Place(f"row {seq}", _decoded(text))
            # Whether the indexes, by which filters find, have what the rows have, and no more.
            (state,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if state != "ok":
                yield Place(f"the database: {state}", None)

    def operations(
        self, wanted: Filter = EVERYTHING, *, last: int | None = None, ordered: bool = True
    ) -> Iterator[StoredOperation]:
        del ordered  # each row brings its outcome along, so the order costs nothing
        with self._connected() as connection:
            rows = _rows(connection, wanted, last)
            for _, seq, attempt, outcome in rows if last is None else reversed(list(rows)):
                ended = None if outcome is None else decode_entry(outcome)
                yield operation_of(seq, decode_entry(attempt), ended)

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
                if not has_own_schema(connection):
                    raise ValueError(f"{self._path}: not the table and indexes of a trail")
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
