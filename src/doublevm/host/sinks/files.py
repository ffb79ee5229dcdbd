"""The files of a trail: who may read them, who may write them, and what they may be."""

from __future__ import annotations

import contextlib
import os
import stat
import weakref
from typing import TYPE_CHECKING, Final

from doublevm.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE: Final = 0o600
"""Only the host's user may read a new trail: arguments are in it."""


def open_file(path: Path, flags: int) -> int:
    """Open a file, or make it.

    Raises:
        ConfigError: it is no plain file. A link in a folder of others could name anything, and
            what is no file keeps nothing.
    """
    check_is_file(path)
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)


def check_is_file(path: Path) -> None:
    """Refuse what is there and no plain file.

    Raises:
        ConfigError: it is.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ConfigError(f"{path} is no plain file; name one, and not a link to it")


class Files:
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
        self._set(self.fd, open_file(beside, os.O_RDWR))
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
        fd = open_file(path, os.O_RDWR | os.O_APPEND)
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


def _close(*fds: int) -> None:
    for fd in fds:
        if fd >= 0:
            os.close(fd)
