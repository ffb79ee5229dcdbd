"""Reads trails: their links as they are written, and the operations that these speak of."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import msgspec

from doublevm.errors import ConfigError
from doublevm.host.sinks.chain import Link, decode_link
from doublevm.host.sinks.entries import (
    Attempt,
    Ended,
    arguments_of,
    decode_entry,
    verdict_of,
)
from doublevm.host.sinks.jsonl import jsonl_lines, jsonl_pieces
from doublevm.host.sinks.sqlite import check_is_trail, has_own_schema
from doublevm.verdict import Deny

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator, Mapping

    from doublevm.host.sinks.entries import AnyEntry
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which operations are asked for: those that fit everything that is not None."""

    since: float | None = None
    """Seconds since the epoch; attempted then or later."""
    until: float | None = None
    """Attempted before then."""
    enclave: str | None = None
    run: int | None = None
    operation: str | None = None
    allowed: bool | None = None
    rule: str | None = None
    """A denial's ``barrier/rule``."""

    def fits(self, attempt: Attempt) -> bool:
        """Whether an attempt is asked for."""
        verdict = attempt.verdict
        rule = verdict.address if isinstance(verdict, Deny) else None
        exact = (
            (self.enclave, attempt.enclave),
            (self.run, attempt.run),
            (self.operation, attempt.operation),
            (self.allowed, rule is None),
            (self.rule, rule),
        )
        if any(wanted is not None and wanted != found for wanted, found in exact):
            return False
        after_start = self.since is None or attempt.time >= self.since
        return after_start and (self.until is None or attempt.time < self.until)


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
    outcome: Literal["returned", "raised", "abandoned", "denied", "scored", "unknown"]
    """``unknown``: it was allowed, and nobody wrote what became of it."""
    duration: float
    """Seconds the handler took; 0.0 if that is not known."""


class TrailReader(Protocol):
    """Reads one trail. What others append meanwhile may be seen or not."""

    def places(self) -> Iterator[Place]:
        """Return everything that is there, in its order."""

    def operations(self, wanted: Filter = ...) -> Iterator[StoredOperation]:
        """Return operations, oldest first.

        Raises:
            ValueError: something there is no entry; ``verify_trail`` says what and where.
        """


def read_trail(path: str | os.PathLike[str]) -> TrailReader:
    """Return what reads a trail, whichever sink has written it.

    Raises:
        ConfigError: there is none.
    """
    path = Path(path)
    if not jsonl_pieces(path):
        raise ConfigError(f"there is no trail {path}")
    return _Rows(path) if _is_database(path) else _Lines(path)


def _is_database(path: Path) -> bool:
    """Whether it is a trail of SqliteSink.

    Raises:
        ConfigError: it cannot be read, or is a database that is no trail.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return False
        with _connected(path) as connection:
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

    def operations(self, wanted: Filter = EVERYTHING) -> Iterator[StoredOperation]:
        waiting: OrderedDict[_Key, tuple[int, Attempt]] = OrderedDict()
        ended: dict[_Key, Ended] = {}
        # Those for which no outcome will come: nothing waits for them.
        endless = self._endless(wanted)
        for seq, entry in self._entries():
            key = _key(entry)
            if isinstance(entry, Attempt) and wanted.fits(entry):
                waiting[key] = (seq, entry)
            elif isinstance(entry, Ended) and key in waiting:
                ended[key] = entry
            yield from _released(waiting, ended, endless)
        yield from _released(waiting, ended, waiting.keys())

    def _endless(self, wanted: Filter) -> set[_Key]:
        found: set[_Key] = set()
        for _, entry in self._entries():
            if isinstance(entry, Attempt) and wanted.fits(entry) and _has_outcome(entry):
                found.add(_key(entry))
            elif isinstance(entry, Ended):
                found.discard(_key(entry))
        return found

    def _entries(self) -> Iterator[tuple[int, AnyEntry]]:
        for place in self.places():
            if place.torn:
                continue
            entry = None if place.link is None else entry_of(place.link)
            if place.link is None or entry is None:
                raise ValueError(f"{place.where}: no entry")
            yield place.link.seq, entry


_Key = tuple[str, int]


def _key(entry: AnyEntry) -> _Key:
    return (entry.enclave, entry.number) if isinstance(entry, Attempt | Ended) else ("", 0)


def _released(
    waiting: OrderedDict[_Key, tuple[int, Attempt]],
    ended: dict[_Key, Ended],
    endless: Collection[_Key],
) -> Iterator[StoredOperation]:
    """Take the first ones, up to one that will end: the order is that of the attempts.

    The dict is an ordered one: any other looks for its first item past all that were deleted.
    """
    while waiting:
        key = next(iter(waiting))
        seq, attempt = waiting[key]
        if key not in ended and key not in endless and _has_outcome(attempt):
            return
        del waiting[key]
        yield _operation(seq, attempt, ended.pop(key, None))


def _has_outcome(attempt: Attempt) -> bool:
    """Whether there will be an outcome: a denial is one itself, but for a program's."""
    return not isinstance(attempt.verdict, Deny) or not attempt.operation


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
        with _connected(self._path) as connection:
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

    def operations(self, wanted: Filter = EVERYTHING) -> Iterator[StoredOperation]:
        query, values = _query(wanted)
        try:
            with _connected(self._path) as connection:
                if not has_own_schema(connection):
                    raise ValueError(f"{self._path}: not the table and indexes of a trail")
                for seq, attempt, outcome in connection.execute(query, values):
                    begun = decode_entry(attempt)
                    ended = None if outcome is None else decode_entry(outcome)
                    yield _operation(seq, begun, ended)
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            raise ValueError(f"{self._path}: {error}") from None


MANY_RUNS: Final = 10
"""Runs of a conversation from which on a run is rarer than a name."""

_JOINED: Final = """
SELECT a.seq, a.entry, (
    SELECT o.entry FROM links o WHERE o.kind = 'outcome'
    AND (o.enclave, o.run, o.number) = (a.enclave, a.run, a.number) LIMIT 1
) FROM links a INDEXED BY {index} WHERE a.kind = 'attempt'"""


def _query(wanted: Filter) -> tuple[str, list[Any]]:
    conditions = (
        ("a.time >= ?", wanted.since),
        ("a.time < ?", wanted.until),
        ("a.enclave = ?", wanted.enclave),
        ("a.run = ?", wanted.run),
        ("a.operation = ?", wanted.operation),
        ("a.rule = ?", wanted.rule),
    )
    query, values = _JOINED.format(index=_index(wanted)), []
    for condition, value in conditions:
        if value is not None:
            query += f" AND {condition}"
            values.append(value)
    if wanted.allowed is not None:
        query += f" AND a.rule IS {'' if wanted.allowed else 'NOT '}NULL"
    if _index(wanted) == "by_run":
        query += " AND a.run > 1"  # as the index says, for SQLite to see it
    # A run is small, and its index has no times: all others give their rows in this order.
    return query + " ORDER BY a.time, a.seq", values


def _index(wanted: Filter) -> str:
    """Return the index that leaves the fewest rows to look at; all but the first are in order.

    SQLite would have to guess: nothing counts the rows of a trail.
    """
    if wanted.enclave is not None:
        return "by_number"
    is_late = wanted.run is not None and wanted.run > MANY_RUNS
    if wanted.rule is not None and not is_late:
        return "by_rule" if wanted.operation is None else "by_rule_of_operation"
    if wanted.allowed is False and not is_late:
        return "by_denial" if wanted.operation is None else "by_denied_operation"
    # Of two that are given, the higher a run's number, the fewer conversations have come to it.
    if is_late or (wanted.run is not None and wanted.run > 1 and wanted.operation is None):
        return "by_run"
    return "by_time" if wanted.operation is None else "by_operation"


def _operation(seq: int, attempt: Attempt, outcome: Ended | None) -> StoredOperation:
    verdict = verdict_of(attempt)
    ending: Literal["returned", "raised", "abandoned", "denied", "scored", "unknown"] = "unknown"
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
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Connect to read. Not ``mode=ro``: then the log of a host that died could not be read."""
    address = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only = ON")
        yield connection
