"""The trail as an SQLite database: one link a row, with indexes for those who look for something.

A row has the entry's JSON and no copy of anything in it: what the indexes are over is computed from
the JSON, so nobody can change one and leave the other.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from typing import TYPE_CHECKING, Any, Final

from doublevm.errors import ConfigError
from doublevm.host.sinks.chain import Head, Link
from doublevm.host.sinks.entries import FORMAT, Ended, Opened, decode_entry
from doublevm.host.sinks.files import PRIVATE, check_is_file
from doublevm.host.sinks.later import Later
from doublevm.host.sinks.stored import HeadMovedError, StoredSink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doublevm.host.sinks.entries import AnyEntry

APPLICATION: Final = 0x44564D41
"""``DVMA``, in the file's header: this database is a trail."""
PATIENCE: Final = 5.0
"""Seconds to wait for another process that writes."""
PAGE_BYTES: Final = 1024
"""Every write copies one page of each index to the log: with SQLite's own 4096 it takes half as
long again."""
WAL_PAGES: Final = 40_000
"""Pages after which the log is moved into the database: it is forced to the disk then,
so that one write in some thousand takes some ms."""

# What a policy objected to that is only tried has ``passed``. Indexes of objections cost nothing
# where there are none, and find the few among millions. First runs are many, and found by their
# time.
_SCHEMA: Final = f"""
CREATE TABLE links (
    seq INTEGER PRIMARY KEY,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL,
    entry TEXT NOT NULL,
    kind TEXT GENERATED ALWAYS AS (entry ->> '$.kind') VIRTUAL,
    time REAL GENERATED ALWAYS AS (entry ->> '$.time') VIRTUAL,
    enclave TEXT GENERATED ALWAYS AS (entry ->> '$.enclave') VIRTUAL,
    run INTEGER GENERATED ALWAYS AS (entry ->> '$.run') VIRTUAL,
    number INTEGER GENERATED ALWAYS AS (entry ->> '$.number') VIRTUAL,
    operation TEXT GENERATED ALWAYS AS (entry ->> '$.operation') VIRTUAL,
    rule TEXT GENERATED ALWAYS AS (coalesce(
        (entry ->> '$.verdict.barrier') || '/' || (entry ->> '$.verdict.rule'),
        (entry ->> '$.verdict.would_deny.barrier') || '/' || (entry ->> '$.verdict.would_deny.rule')
    )) VIRTUAL,
    passed INTEGER GENERATED ALWAYS AS ((entry ->> '$.verdict.would_deny.barrier') IS NOT NULL)
        VIRTUAL
) STRICT;
CREATE INDEX by_number ON links (enclave, run, number);
CREATE INDEX by_time ON links (time) WHERE kind = 'attempt';
CREATE INDEX by_run ON links (run, time) WHERE kind = 'attempt' AND run > 1;
CREATE INDEX by_operation ON links (operation, time) WHERE kind = 'attempt';
CREATE INDEX by_objection ON links (passed, time) WHERE rule IS NOT NULL;
CREATE INDEX by_objected_operation ON links (passed, operation, time) WHERE rule IS NOT NULL;
CREATE INDEX by_rule ON links (rule, time) WHERE rule IS NOT NULL;
CREATE INDEX by_rule_of_operation ON links (operation, rule, time) WHERE rule IS NOT NULL;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
"""

_INSERT: Final = "INSERT INTO links (seq, previous, hash, entry) VALUES (?, ?, ?, ?)"
_INSERT_TWO: Final = f"{_INSERT}, (?, ?, ?, ?)"


class SqliteSink(StoredSink):
    """Appends to a database, in WAL mode: others may read meanwhile, and write the same trail.

    Outcomes are written together with the next attempt, or some 10 ms later, or with ``flush``.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        sync: bool = False,
        required: bool = True,
        **options: Any,
    ) -> None:
        """Open the database, or make it.

        Args:
            path: ``trail.sqlite``.
            sync: whether each write is forced to the disk. What is written outlives the host in any
                case; only with ``sync`` does it outlive a power failure, for some ms a write.
            required: whether operations that cannot be kept are denied.
            **options: those of ``StoredSink`` and ``BaseSink``.

        Raises:
            ConfigError: an option is wrong, or what is there is no trail.
        """
        self._sync = sync
        self._ended: list[AnyEntry] = []
        """Outcomes that are still to be written."""
        self._later = Later(self._catch_up)
        super().__init__(path, required=required, **options)

    @property
    def is_behind(self) -> bool:
        """Whether outcomes wait, and whoever calls ``flush`` may wait too."""
        return bool(self._ended) and self.blocking

    def flush(self) -> None:
        """Write the outcomes that wait. If that fails, the next attempt cannot be kept either."""
        self._catch_up()

    def _catch_up(self) -> bool:
        with self._locked():
            if not self._ended or self._owner != os.getpid():
                return False
            try:
                self._keep(())
            # The border of the thread, and of a run that has ended: what could not be written waits
            # for the next attempt, which says that it cannot be either.
            except Exception:  # noqa: BLE001
                return False
            return True

    def _keep(self, entries: Sequence[AnyEntry]) -> None:
        if self._owner != os.getpid():  # its parent writes them
            self._ended.clear()
            self._later.forget()
        if entries and all(isinstance(entry, Ended) for entry in entries):
            self._check_open()
            self._ended += entries
            self._later.soon()
            return
        super()._keep([*self._ended, *entries])
        self._ended.clear()

    def _end(self) -> None:
        try:
            if self._ended and not self._closed and self._owner == os.getpid():
                self._keep(())
        finally:
            super()._end()

    def _open(self) -> int:
        connection = None
        try:
            check_is_file(self.path)
            # Never opened beside SQLite where it is there already: closing that again would take
            # this process's locks on it, which belong to all its connections.
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_CLOEXEC, PRIVATE))
            connection = sqlite3.connect(
                self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            self._prepare(connection)
        except (OSError, sqlite3.Error, ConfigError) as error:
            if connection is not None:
                connection.close()
            if isinstance(error, ConfigError):
                raise
            what = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigError(f"{self.path} cannot be opened as a trail: {what}") from None
        self._connection = connection
        self._closing = weakref.finalize(self, _close, connection, os.getpid())
        return 0

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._sync else 'NORMAL'}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
        finally:
            connection.execute("COMMIT")
        check_is_trail(connection, self.path)
        if not has_own_schema(connection):
            raise ConfigError(
                f"{self.path} has not the table and indexes of a trail, or others besides, and "
                "cannot be continued; move it away, and a new one begins"
            )

    def _where(self) -> tuple[Head, str]:
        last = "SELECT seq, hash FROM links ORDER BY seq DESC LIMIT 1"
        row = self._connection.execute(last).fetchone()
        if row is None:
            return Head(), ""
        first = "SELECT entry FROM links WHERE kind = 'opened' ORDER BY seq LIMIT 1"
        opened = decode_entry(self._connection.execute(first).fetchone()[0])
        assert isinstance(opened, Opened)
        return Head(row[0], row[1].hex()), opened.trail

    def _append(self, links: Sequence[Link]) -> None:
        rows = [_row(link) for link in links]
        connection = self._connection
        try:
            if len(rows) == 1:
                _check_all(rows, connection.execute(_INSERT, rows[0]))
            elif len(rows) == 2:  # noqa: PLR2004 - an outcome and the next attempt
                _check_all(rows, connection.execute(_INSERT_TWO, (*rows[0], *rows[1])))
            else:
                connection.execute("BEGIN IMMEDIATE")
                _check_all(rows, connection.executemany(_INSERT, rows))
                connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
                raise HeadMovedError from None
            raise

    def _let_go(self) -> None:
        self._closing()


_OF_PARENTS: Final[list[sqlite3.Connection]] = []
"""Connections that a fork has brought here: to close one would disturb the process it is of."""


def _close(connection: sqlite3.Connection, owner: int) -> None:
    if owner == os.getpid():
        connection.close()
    else:
        _OF_PARENTS.append(connection)


def check_is_trail(connection: sqlite3.Connection, path: object) -> None:
    """Refuse a database that is none, or one of another version.

    Raises:
        ConfigError: it is.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise ConfigError(f"{path} is a database, but no trail; name another file")
    if version != FORMAT:
        raise ConfigError(f"{path} is a trail of version {version}; this doublevm writes {FORMAT}")


def has_own_schema(connection: sqlite3.Connection) -> bool:
    """Whether a trail's table and indexes are as they were made, and nothing is beside them.

    With others, what filters find could differ from what is chained, and a trigger could drop what
    is written.
    """
    found = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
    made = (statement.strip() for statement in _SCHEMA.split(";"))
    # ANALYZE by hand leaves tables that only say which index to prefer, which we do ourselves.
    others = [sql for name, sql in found if name not in ("sqlite_stat1", "sqlite_stat4")]
    return sorted(map(str, others)) == sorted(sql for sql in made if sql.startswith("CREATE"))


def _check_all(rows: Sequence[object], done: sqlite3.Cursor) -> None:
    """Make sure that all are there: a trigger that somebody has added may have them ignored."""
    if done.rowcount != len(rows):
        raise sqlite3.IntegrityError("the database has not taken what it was given")


def _row(link: Link) -> tuple[int, bytes, bytes, str]:
    entry = bytes(link.entry).decode()
    return link.seq, bytes.fromhex(link.previous), bytes.fromhex(link.hash), entry
