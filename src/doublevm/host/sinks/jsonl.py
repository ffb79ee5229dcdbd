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
from typing import TYPE_CHECKING, Any, Final

import msgspec

from doublevm.errors import ConfigError
from doublevm.host.sinks.base import check_count
from doublevm.host.sinks.chain import Head, Link, decode_link
from doublevm.host.sinks.entries import Opened, decode_entry
from doublevm.host.sinks.files import Files
from doublevm.host.sinks.stored import StoredSink

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

_CHUNK: Final = 64 * 1024
_FIRST: Final = b'{"entry":{"format":'
"""How each file begins: what is left of a first line that was never written whole."""


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
        self._files = Files()
        super().__init__(path, required=required, **options)

    def _open(self) -> int:
        try:
            self._files.lock(self.path)
            fd = self._files.open(self.path)
            self._day = _day(os.fstat(fd).st_mtime)
            # Looked at before anything is cut off: it may be a file of something else.
            self._found = _ends(jsonl_pieces(self.path))
            self._size, torn = _cut_torn(fd)
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
            piece = self.path.rename(_next_piece(self.path))
            try:
                self._files.open(self.path)
            except BaseException:
                piece.rename(self.path)  # or there would be none to try it with again
                raise
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
            self._broken = True
            os.ftruncate(fd, self._size)
            self._broken = False
            raise
        self._size += len(data)
        self._day = _day(time.time())

    def _let_go(self) -> None:
        self._files.close()


def jsonl_pieces(path: Path) -> list[Path]:
    """Return the files of a trail, oldest first; those that are not there are left out."""
    numbered = _numbered(path)
    return [*numbered.values(), path] if path.exists() else list(numbered.values())


def jsonl_lines(path: Path) -> Iterator[tuple[Path, int, bytes]]:
    """Return every line of a trail: its file, its number in there from 1, and its bytes.

    The last line of a file may be half of one. A file that is renamed meanwhile is read once.
    """
    done = 0
    while True:
        for number, piece in _numbered(path).items():
            if number > done:
                with piece.open("rb") as file:
                    yield from _lines_of(piece, file)
                done = number
        try:
            newest = path.open("rb")
        except FileNotFoundError:
            newest = None
        # If it was renamed before it was opened, the one of that name now comes after another.
        if max(_numbered(path), default=0) <= done:
            break
        if newest is not None:
            newest.close()
    if newest is not None:
        with newest:
            yield from _lines_of(path, newest)


def _lines_of(piece: Path, file: BinaryIO) -> Iterator[tuple[Path, int, bytes]]:
    for number, line in enumerate(file, 1):
        yield piece, number, line
        if not line.endswith(b"\n"):
            return  # its other half may be written just now, and would look like a line


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
    for piece in reversed(pieces):
        with piece.open("rb") as file:
            first = file.readline(_CHUNK)
            end = _after_last_newline(file.fileno(), file.seek(0, os.SEEK_END))
            start = _after_last_newline(file.fileno(), end - 1)
            last = os.pread(file.fileno(), end - start, start)
        if end or not _FIRST.startswith(first[: len(_FIRST)]):
            break
    else:
        return Head(), ""
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


def _day(seconds: float) -> dt.date:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date()
