"""CPU time and memory of another process, read from /proc where there is one."""

from __future__ import annotations

import os
from pathlib import Path

from doublevm.wire.frames import Usage

NOTHING = Usage(0.0, 0)


class UsageReader:
    """Reads what one process has used, through files that are opened now."""

    def __init__(self, pid: int) -> None:
        """Open them: a sealed process cannot do so later."""
        self._fds: tuple[int, ...] = ()
        self._ticks = os.sysconf("SC_CLK_TCK")
        try:
            folder = f"/proc/{_pid_in_proc(pid)}"
            self._fds = tuple(os.open(f"{folder}/{name}", os.O_RDONLY) for name in _FILES)
        except OSError:
            return

    def read(self) -> Usage:
        """Return what it has used since it began; zeros where that cannot be read."""
        try:
            stat, status = (os.pread(fd, 4096, 0).decode() for fd in self._fds)
        except (OSError, ValueError):  # it is gone, or there is no /proc
            return NOTHING
        # The second field is the command in brackets and may hold spaces; utime and stime are the
        # 14th and 15th of proc_pid_stat(5).
        fields = stat.rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return Usage(ticks / self._ticks, _bytes_of(status, "VmHWM"))

    def data(self) -> int:
        """Return the bytes it has that count against RLIMIT_DATA.

        Raises:
            OSError: that cannot be read.
        """
        if not self._fds:
            raise OSError("there is no /proc to read the worker's memory from")
        return _bytes_of(os.pread(self._fds[1], 4096, 0).decode(), "VmData")


def _pid_in_proc(pid: int) -> int:
    """Return the pid that /proc has for a process: it may be of another namespace than ours."""
    pidfd = os.pidfd_open(pid)
    try:
        info = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    finally:
        os.close(pidfd)
    return int(info.partition("\nPid:")[2].split()[0])


def _bytes_of(status: str, name: str) -> int:
    rows = (row.split() for row in status.splitlines() if row.startswith(f"{name}:"))
    return int(next((row[1] for row in rows), "0")) * 1024


_FILES = ("stat", "status")
