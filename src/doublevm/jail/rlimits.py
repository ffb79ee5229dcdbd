"""Resource limits a VM process sets on itself, never to be raised again."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Final, NamedTuple

NOTHING_NEW: Final = {
    resource.RLIMIT_NOFILE: "no descriptor can be opened: no files, no sockets",
    resource.RLIMIT_NPROC: "no process or thread can be started (not enforced for uid 0)",
    resource.RLIMIT_FSIZE: "no file can grow",
    resource.RLIMIT_CORE: "no core dump is written",
}
"""Limits set to 0 before guest code runs, each with what it stops."""


RESERVED_ADDRESSES: Final = 64 * 1024 * 1024
"""Bytes of addresses beyond the memory itself, for what allocators reserve and do not use. They are
few, as they can be used after all: where addresses are scarce, mprotect(2) lets a reserve become
writable without a look at RLIMIT_DATA."""


class InUse(NamedTuple):
    """What a process has of its memory, in bytes."""

    data: int
    """What counts against RLIMIT_DATA."""
    addresses: int
    """What counts against RLIMIT_AS."""


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


def limit_data_of(pid: int, most: int) -> None:
    """Let another process of this user map so many bytes of data."""
    if sys.platform == "linux":
        resource.prlimit(pid, resource.RLIMIT_DATA, (most, most))


def limit_data(before: InUse, more: int) -> None:
    """Let this process map ``more`` bytes of data than it had ``before``.

    Only on Linux: elsewhere what was in use is not known.
    """
    if sys.platform == "linux":
        _lower(resource.RLIMIT_DATA, before.data + more)


def limit_memory(before: InUse, more: int) -> None:
    """Let this process have ``more`` bytes of memory than it had ``before``; for one thread.

    The kernel counts as data what can be written; page tables, also those of what is only read, and
    the stack are not. A limit on addresses keeps these small. Threads reserve addresses, the more
    processors the more.
    """
    limit_data(before, more)
    if sys.platform == "linux":
        _lower(resource.RLIMIT_AS, before.addresses + more + RESERVED_ADDRESSES)


def limit_cpu(seconds: int) -> None:
    """Let this process burn at most so many seconds of CPU, from its beginning.

    A second lock behind the parent's clock, for the case that nobody is left to watch it.
    """
    _lower(resource.RLIMIT_CPU, seconds)


def memory_in_use() -> InUse:
    """Return what this process has: VmData and VmSize of proc_pid_status(5).

    Only Linux tells; elsewhere both are 0.
    """
    if sys.platform != "linux":
        return InUse(0, 0)
    rows = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    found = {row[0]: int(row[1]) * 1024 for row in rows if row and row[0] in ("VmData:", "VmSize:")}
    if len(found) != len(InUse._fields):
        raise OSError("there is no VmData or VmSize in /proc/self/status")
    return InUse(found["VmData:"], found["VmSize:"])


def _lower(limit: int, most: int) -> None:
    """Set soft and hard limit, unless the hard one is lower already: nobody may raise it."""
    _, hard = resource.getrlimit(limit)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(limit, (most, most))
