"""Resource limits a VM process sets on itself, never to be raised again."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Final

NOTHING_NEW: Final = {
    resource.RLIMIT_NOFILE: "no descriptor can be opened: no files, no sockets",
    resource.RLIMIT_NPROC: "no process or thread can be started (not enforced for uid 0)",
    resource.RLIMIT_FSIZE: "no file can grow",
    resource.RLIMIT_CORE: "no core dump is written",
}
"""Limits set to 0 before guest code runs, each with what it stops."""


def forbid_new_resources(*, processes: bool = False) -> None:
    """Set every limit of NOTHING_NEW to 0; descriptors that are open stay usable.

    ``processes`` leaves the number of processes alone, for one that is to fork.
    """
    for limit in NOTHING_NEW:
        if limit != resource.RLIMIT_NPROC or not processes:
            resource.setrlimit(limit, (0, 0))


def limit_processes(most: int) -> None:
    """Let this process's user have at most so many processes and threads."""
    _lower(resource.RLIMIT_NPROC, most)


def forbid_new_resources_to(pid: int) -> None:
    """Set every limit of NOTHING_NEW to 0 for another process of this user."""
    if sys.platform == "linux":  # nowhere else can it be done from outside
        for limit in NOTHING_NEW:
            resource.prlimit(pid, limit, (0, 0))


def limit_data(ceiling: int) -> None:
    """Let this process map at most ``ceiling`` bytes of data, what it has now included."""
    _lower(resource.RLIMIT_DATA, ceiling)


def limit_cpu(seconds: int) -> None:
    """Let this process burn at most so many seconds of CPU, from its beginning.

    A second lock behind the parent's clock, for the case that nobody is left to watch it.
    """
    _lower(resource.RLIMIT_CPU, seconds)


def data_in_use() -> int:
    """Return the bytes that count against RLIMIT_DATA: VmData of proc_pid_status(5).

    Only Linux tells; elsewhere it is 0.
    """
    if sys.platform != "linux":
        return 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise OSError("there is no VmData in /proc/self/status")


def _lower(limit: int, most: int) -> None:
    """Set soft and hard limit, unless the hard one is lower already: nobody may raise it."""
    _, hard = resource.getrlimit(limit)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(limit, (most, most))
