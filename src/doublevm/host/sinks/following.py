"""Follows a trail while it is written: what comes to it, as often as one asks.

Places, not operations: who looks on wants to know of an attempt before its handler has ended.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Protocol

import msgspec

from doublevm.host.sinks.chain import decode_link
from doublevm.host.sinks.entries import decode_entry
from doublevm.host.sinks.jsonl import jsonl_pieces
from doublevm.host.sinks.reading import connected, is_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from doublevm.host.sinks.entries import AnyEntry


class Follower(Protocol):
    """Remembers how far it has read."""

    def skip(self) -> int:
        """Go to the end; return the place of the last entry that is passed over.

        Raises:
            ValueError: something there is no entry.
        """

    def news(self) -> Iterator[tuple[int, AnyEntry]]:
        """Return the entries that have come since the last time, with their places in the trail.

        The first time, all that are there.

        Raises:
            ValueError: something there is no entry.
        """

    def close(self) -> None:
        """Let go of what is open."""


def follow_trail(path: Path) -> Follower:
    """Return what follows a trail, from its beginning.

    Raises:
        ConfigError: there is no trail.
    """
    return _Rows(path) if is_database(path) else _Lines(path)


class _Rows:
    """A trail of SqliteSink."""

    def __init__(self, path: Path) -> None:
        self._path, self._last = path, 0

    def skip(self) -> int:
        try:
            with connected(self._path) as connection:
                (last,) = connection.execute("SELECT max(seq) FROM links").fetchone()
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self._path}: {error}") from None
        self._last = last or 0
        return self._last

    def news(self) -> Iterator[tuple[int, AnyEntry]]:
        query = "SELECT seq, entry FROM links WHERE seq > ? ORDER BY seq"
        try:
            # Connected anew each time: nobody is kept from moving the log into the database.
            with connected(self._path) as connection:
                for seq, entry in connection.execute(query, (self._last,)):
                    self._last = seq
                    yield seq, decode_entry(entry)
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            raise ValueError(f"{self._path}: {error}") from None

    def close(self) -> None:
        pass


class _Lines:
    """A trail of JsonlSink.

    An open piece is read to its end also when it has been renamed meanwhile; only then the next one
    is opened. Half a line is not read before its other half is there: a writer that opens the file
    anew may cut it off.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._last = path, 0
        self._file: BinaryIO | None = None

    def skip(self) -> int:
        for _ in self.news():
            pass
        return self._last

    def news(self) -> Iterator[tuple[int, AnyEntry]]:
        while True:
            # Looked for first: whatever was written before the next piece was begun is read below.
            following = self._following()
            if self._file is not None:
                yield from self._lines(self._file)
            if following is None:
                return
            self.close()
            self._file = following

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _following(self) -> BinaryIO | None:
        """Open the piece behind the one that is read, if there is one."""
        pieces = jsonl_pieces(self._path)
        if self._file is not None:
            pieces = pieces[self._place(pieces, self._file) + 1 :]
        for piece in pieces:
            try:
                return piece.open("rb")
            except FileNotFoundError:  # renamed just now: it is there the next time
                return None
        return None

    @staticmethod
    def _place(pieces: list[Path], file: BinaryIO) -> int:
        """Return where a file stands among the pieces; -1 if it was deleted: then all are newer."""
        status = os.fstat(file.fileno())
        for place, piece in enumerate(pieces):
            try:
                found = piece.stat()
            except FileNotFoundError:
                continue
            if (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino):
                return place
        return -1

    def _lines(self, file: BinaryIO) -> Iterator[tuple[int, AnyEntry]]:
        while True:
            start = file.tell()
            line = file.readline()
            if not line.endswith(b"\n"):
                file.seek(start)
                return
            try:
                link = decode_link(line)
                entry = decode_entry(link.entry)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                raise ValueError(f"{self._path}: a line that is no entry") from None
            if link.seq > self._last:
                self._last = link.seq
                yield link.seq, entry
