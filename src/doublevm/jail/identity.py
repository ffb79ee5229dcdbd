"""Who a VM process is and how long it lives: uid, priority, death with its parent, no ptrace."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
"""From linux/prctl.h."""

FIRST_UID: Final = 1_900_000_000
"""Guests of a root host get uids from here on, one per process: above all ranges that systemd's
uid documentation assigns, and 4,194,304 (the largest pid) below the end of what is unassigned."""

GUEST_NICENESS: Final = 10
"""Guests run below their host's priority, so that an event loop keeps its turn."""


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent process ends.

    Call it after the last change of uid, which clears the setting.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the setting was made
        os._exit(1)


def forbid_inspection() -> None:
    """Close this process's memory and /proc files to others of its uid; no core dumps."""
    _prctl(PR_SET_DUMPABLE, 0)


def lower_priority() -> None:
    """Run below the host's priority."""
    os.nice(GUEST_NICENESS)


def take_own_uid() -> int | None:
    """If this process is root, become a uid that no other process has; return it.

    Returns None where the process is not root already. Raises OSError where no uid is left to
    become, as in a user namespace that maps root alone.
    """
    if os.geteuid() != 0:
        return None
    uid = FIRST_UID + os.getpid()
    if not _is_mapped(uid):
        uid = _highest_mapped()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    return uid


def _uid_map() -> list[tuple[int, int]]:
    """Return the uids that exist here as (first, count): proc_pid_uid_map of user_namespaces(7)."""
    rows = (line.split() for line in Path("/proc/self/uid_map").read_text().splitlines())
    return [(int(first), int(count)) for first, _, count in rows]


def _is_mapped(uid: int) -> bool:
    return any(first <= uid < first + count for first, count in _uid_map())


def _highest_mapped() -> int:
    highest = max(first + count - 1 for first, count in _uid_map())
    if highest == 0:
        raise OSError("root is the only uid in this user namespace")
    return highest


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}, {value}): {os.strerror(number)}")
