"""The trail as a file of JSON Lines: one link a line, the newest piece under the file's own name.

A line counts once its newline is there. Whatever a host that was killed has left behind the last
newline was never reported as written, so no handler ran on it: it is cut off when the file is
opened again, and ``Opened`` says how many bytes there were.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

import msgspec

from doublevm.errors import ConfigError
from doublevm.host.sinks.base import check_count
from doublevm.host.sinks.chain import Head, Link, decode_link
from doublevm.host.sinks.entries import Opened, decode_entry
from doublevm.host.sinks.stored import StoredSink

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PRIVATE: Final = 0o600
"""Only the host's user may read a new trail: arguments are in it."""
_CHUNK: Final = 64 * 1024


class JsonlSink(StoredSink):
    """Appends to a file. One process at a time may: a lock file beside it says which."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        daily: bool = False,
        sync: bool = False,
        required: bool = True,
        **options: Any,
    ) -> None:
        """Open the file, or begin it.

        Args:
            path: ``trail.jsonl``; full pieces are renamed to ``trail.000001.jsonl`` and so on.
            max_bytes: size at which a new piece begins; None: at none.
            daily: whether a new piece begins with each day, in UTC.
            sync: whether each write is forced to the disk. What is written outlives the host in any
                case; only with ``sync`` does it outlive a power failure, for some ms a write.
            required: whether operations that cannot be kept are denied.
            **options: those of ``StoredSink`` and ``BaseSink``.

        Raises:
            ConfigError: an option is wrong, another process has the file open, or what is there is
                no trail that can be continued.
        """
        if max_bytes is not None:
            check_count("max_bytes", max_bytes)
        self._max_bytes, self._daily, self._sync = max_bytes, daily, sync
        self._files = _Files()
        super().__init__(path, required=required, **options)

    def _open(self) -> int:
        try:
            self._files.lock(self.path)
            fd = self._files.open(self.path)
            self._size, torn = _cut_torn(fd)
            self._day = _day(os.fstat(fd).st_mtime)
            self._found = _ends(jsonl_pieces(self.path))
            self._rotate_if_due()
        except OSError as error:
            self._files.close()
            raise ConfigError(f"{self.path} cannot be opened: {error.strerror}") from None
        except ConfigError:
            self._files.close()
            raise
        return torn

    def _where(self) -> tuple[Head, str]:
        return self._found

    def _rotate_if_due(self) -> None:
        full = self._max_bytes is not None and self._size >= self._max_bytes
        if self._size and (full or (self._daily and _day(time.time()) != self._day)):
            self.path.rename(_next_piece(self.path))
            self._files.open(self.path)
            self._size = 0

    def _make_room(self) -> None:
        self._rotate_if_due()
        if not self._size:
            # Each piece says which trail it is of, also once those before it have been deleted.
            self._add([self._open_entry()])

    def _append(self, links: Sequence[Link]) -> None:
        data = b"".join(link.line + b"\n" for link in links)
        fd = self._files.fd
        try:
            _write_all(fd, data)
            if self._sync:
                os.fsync(fd)
        except BaseException:
            # Half a line would spoil the next one. If it cannot be cut off, nothing follows it.
            self._closed = True
            os.ftruncate(fd, self._size)
            self._closed = False
            raise
        self._size += len(data)
        self._day = _day(time.time())

    def _let_go(self) -> None:
        self._files.close()


class _Files:
    """The open piece and the lock; closed with their sink, also if nobody closes that."""

    def __init__(self) -> None:
        self.fd = self._lock = -1
        self._closing = weakref.finalize(self, _close)

    def lock(self, path: Path) -> None:
        """Lock the trail for this process.

        Raises:
            ConfigError: another process has it.
        """
        import fcntl  # noqa: PLC0415 - Windows has none, and no VMs to keep a trail of

        beside = path.with_name(path.name + ".lock")
        self._set(self.fd, os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE))
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{path} is open for writing already, in this process or another; use one sink for "
                "all enclaves of a process, a file for each process, or SqliteSink, which several "
                "may share"
            ) from None

    def open(self, path: Path) -> int:
        """Open a piece, and close the one before."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        fd = os.open(path, flags, PRIVATE)
        if self.fd >= 0:
            os.close(self.fd)
        self._set(fd, self._lock)
        return fd

    def close(self) -> None:
        """Close both; the kernel lets go of the lock."""
        self._closing.detach()
        _close(self.fd, self._lock)
        self.fd = self._lock = -1

    def _set(self, fd: int, lock: int) -> None:
        self.fd, self._lock = fd, lock
        self._closing.detach()
        self._closing = weakref.finalize(self, _close, fd, lock)


def jsonl_pieces(path: Path) -> list[Path]:
    """Return the files of a trail, oldest first; those that are not there are left out."""
    numbered = _numbered(path)
    return [*numbered.values(), path] if path.exists() else list(numbered.values())


def jsonl_lines(path: Path) -> Iterator[tuple[Path, int, bytes]]:
    """Return every line of a trail: its file, its number in there from 1, and its bytes."""
    for piece in jsonl_pieces(path):
        with piece.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield piece, number, line


def _numbered(path: Path) -> dict[int, Path]:
    form = re.compile(rf"{re.escape(path.stem)}\.(\d+){re.escape(path.suffix)}")
    matches = ((form.fullmatch(each.name), each) for each in path.absolute().parent.iterdir())
    found = {int(match[1]): each for match, each in matches if match}
    return {number: found[number] for number in sorted(found)}


def _next_piece(path: Path) -> Path:
    number = max(_numbered(path), default=0) + 1
    return path.with_name(f"{path.stem}.{number:06}{path.suffix}")


def _ends(pieces: Sequence[Path]) -> tuple[Head, str]:
    """Return where a trail ends, and its name.

    Raises:
        ConfigError: it is none.
    """
    begun = [piece for piece in pieces if piece.stat().st_size]
    if not begun:
        return Head(), ""
    piece = begun[-1]
    with piece.open("rb") as file:
        first = file.readline()
        size = file.seek(0, os.SEEK_END)
        start = _after_last_newline(file.fileno(), size - 1)
        last = os.pread(file.fileno(), size - start, start)
    try:
        opened, link = decode_entry(decode_link(first).entry), decode_link(last)
    except (msgspec.MsgspecError, ValueError):
        opened = link = None
    if not isinstance(opened, Opened) or link is None or link.hash != link.expected_hash:
        raise ConfigError(
            f"{piece} is no trail, or a damaged one (`doublevm audit verify` says where), and "
            "cannot be continued; move it away, and a new one begins"
        )
    return Head(link.seq, link.hash), opened.trail


def _cut_torn(fd: int) -> tuple[int, int]:
    """Cut off what follows the last newline; return the file's size then, and how much it was."""
    size = os.fstat(fd).st_size
    whole = _after_last_newline(fd, size)
    if whole < size:
        os.ftruncate(fd, whole)
    return whole, size - whole


def _after_last_newline(fd: int, end: int) -> int:
    """Return the place behind the last newline before ``end``; 0 if there is none."""
    while end > 0:
        start = max(0, end - _CHUNK)
        found = os.pread(fd, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def _close(*fds: int) -> None:
    for fd in fds:
        if fd >= 0:
            os.close(fd)


def _day(seconds: float) -> dt.date:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date()
