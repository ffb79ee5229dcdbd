"""Who a VM process is, what it holds and how long it lives.

Uid, capabilities, descriptors, priority, death with its parent, no ptrace.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from doublevm.jail.libc import prctl, syscall

if TYPE_CHECKING:
    from collections.abc import Iterable

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
"""From linux/prctl.h."""

CAPABILITY_VERSION_3: Final = 0x2008_0522
"""_LINUX_CAPABILITY_VERSION_3 of linux/capability.h."""

_HIGHEST_FD: Final = 2**32 - 1
_OFTEN_ENOUGH: Final = 4096
"""Descriptors may be above a limit that was lowered after they were opened."""

PR_SET_NAME: Final = 15

FIRST_UID: Final = 1_900_000_000
"""Guests of a root host get uids from here on, one per process: above all ranges that systemd's
uid documentation assigns, and 4,194,304 (the largest pid) below the end of what is unassigned."""

GUEST_NICENESS: Final = 10
"""Guests run below their host's priority, so that an event loop keeps its turn."""


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent process ends.

    Call it after the last change of uid, which clears the setting. ``parent`` is its pid as it is
    seen from here: 0 if it is outside of this process's namespace of pids.
    """
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the setting was made
        os._exit(1)


def forbid_inspection() -> None:
    """Close this process's memory and /proc files to others of its uid; no core dumps.

    On Linux; elsewhere nothing is done.
    """
    if sys.platform == "linux":
        prctl(PR_SET_DUMPABLE, 0)


def allow_inspection() -> None:
    """Take it back, for as long as this process needs its own files in /proc."""
    if sys.platform == "linux":
        prctl(PR_SET_DUMPABLE, 1)


def no_new_privs() -> None:
    """Let no later execve give privileges: the kernel asks for it before any confinement."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Give up every capability, and the ways to get one back by execve.

    Raises:
        OSError: the kernel refused.
    """
    _empty_bounding_set()
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    # struct __user_cap_header_struct, then two of struct __user_cap_data_struct
    syscall("capset", struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24))
    no_new_privs()


def close_all_but(fds: Iterable[int]) -> None:
    """Close every descriptor but these: close_range(2), or one by one where it is missing."""
    start = 0
    for fd in sorted(set(fds)):
        _close_range(start, fd - 1)
        start = fd + 1
    _close_range(start, _HIGHEST_FD)


def name_process(name: str) -> None:
    """Have ``ps`` and ``top`` show this name, of 15 characters at most: on Linux."""
    if sys.platform == "linux":
        text = ctypes.create_string_buffer(name.encode()[:15])
        prctl(PR_SET_NAME, ctypes.addressof(text))


def lower_priority() -> None:
    """Run below the host's priority."""
    os.nice(GUEST_NICENESS)


def take_own_uid() -> int | None:
    """If this process is root, become a uid that no other process has; return it.

    In a user namespace with few uids, it is the highest one, which others have too: ``is_sole``.
    Returns None where the process is not root, or on another system than Linux. Raises OSError
    where no uid is left to become, as in a user namespace that maps root alone.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return None
    uid = FIRST_UID + machine_pid()
    if not _is_mapped(uid):
        uid = _highest_mapped()
    _empty_bounding_set()  # while it may
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    return uid


def machine_pid() -> int:
    """Return this process's pid as /proc has it: in its own namespace, it may be number 1."""
    return int(Path("/proc/self").readlink().name)


def is_sole(uid: int) -> bool:
    """Whether a uid that ``take_own_uid`` has returned is one that no other process has."""
    return uid >= FIRST_UID


def uids_are_plenty() -> bool:
    """Whether each VM can have a uid of its own, or all of them share one."""
    return _is_mapped(FIRST_UID)


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


def _empty_bounding_set() -> None:
    with contextlib.suppress(OSError):
        # The first error is that of a number past the last capability; or of one that may not do
        # so, without CAP_SETPCAP, who has no way back either.
        for capability in range(64):
            prctl(PR_CAPBSET_DROP, capability)


def _close_range(first: int, last: int) -> None:
    if first > last:
        return
    try:
        syscall("close_range", first, last, 0)
    except OSError:  # Linux before 5.9, another system, or a filter
        highest = min(last, max(os.sysconf("SC_OPEN_MAX"), _OFTEN_ENOUGH))
        os.closerange(first, highest + 1)
