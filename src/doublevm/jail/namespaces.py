"""Namespaces: a root folder with nothing in it, no network, no capability.

See namespaces(7), user_namespaces(7) and pivot_root(2); numbers are those of linux/sched.h and
linux/mount.h. Unprivileged user namespaces are switched off on some systems: ask ``available``.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from doublevm.jail.identity import PR_SET_DUMPABLE, drop_capabilities, no_new_privs
from doublevm.jail.libc import prctl, syscall
from doublevm.jail.trial import reason_against

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNS: Final = 0x0002_0000
CLONE_NEWCGROUP: Final = 0x0200_0000
CLONE_NEWUTS: Final = 0x0400_0000
CLONE_NEWIPC: Final = 0x0800_0000
CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWNET: Final = 0x4000_0000

MS_RDONLY: Final = 0x1
MS_NOSUID: Final = 0x2
MS_NODEV: Final = 0x4
MS_NOEXEC: Final = 0x8
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 0x4_0000
MNT_DETACH: Final = 0x2

PR_GET_DUMPABLE: Final = 3
"""From linux/prctl.h."""

_WITHOUT_A_ROOT: Final = (
    CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWNET
)
_ALL_BUT_PIDS: Final = CLONE_NEWNS | _WITHOUT_A_ROOT
_MOUNT_POINT: Final = b"/proc"
"""The one folder that is sure to be there: the maps of ids have just been written below it."""


def enter_empty_root() -> None:
    """Move this process into namespaces of its own, with an empty root that cannot be written.

    Its uid and gid stay what they are; it has no network, and no capability, nor a way to one.
    Call it with one thread, before ``forbid_inspection``. It works for root and for others.

    Raises:
        OSError: user namespaces are not allowed here, or there is a second thread. The process
            may be half way in: end it.
    """
    no_new_privs()
    _unshare_with_same_ids(_ALL_BUT_PIDS)
    _swap_root()
    # INVARIANT: without CAP_SYS_ADMIN in its namespace it can neither mount nor move.
    drop_capabilities()


def leave_the_network() -> None:
    """Move this process into namespaces of its own, all but root folder and pids.

    For one that has to start a program, of which the files must still be there. Raises as
    ``enter_empty_root`` does.
    """
    no_new_privs()
    _unshare_with_same_ids(_WITHOUT_A_ROOT)
    drop_capabilities()


def available() -> str | None:
    """Try it in a child process; return why it is not available, or None if it is."""
    return reason_against(enter_empty_root)


def _unshare_with_same_ids(namespaces: int) -> None:
    uid, gid = os.geteuid(), os.getegid()
    with _inspectable():
        syscall("unshare", namespaces)
        own = Path("/proc/self")
        (own / "setgroups").write_text("deny")  # or the kernel refuses an ordinary user's gid_map
        (own / "uid_map").write_text(f"{uid} {uid} 1")
        (own / "gid_map").write_text(f"{gid} {gid} 1")


@contextlib.contextmanager
def _inspectable() -> Iterator[None]:
    """Own one's files in /proc meanwhile: a change of uid gives them to root."""
    before = prctl(PR_GET_DUMPABLE)
    prctl(PR_SET_DUMPABLE, 1)
    try:
        yield
    finally:
        prctl(PR_SET_DUMPABLE, 1 if before == 1 else 0)


def _swap_root() -> None:
    """Mount nothing over everything: a read-only tmpfs whose one inode is its root."""
    syscall("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    syscall("mount", b"none", _MOUNT_POINT, b"tmpfs", flags, b"mode=0555,size=4096,nr_inodes=1")
    os.chdir(_MOUNT_POINT)
    # Old root on top of the new one, as pivot_root(2) describes: it needs no folder, and goes next.
    syscall("pivot_root", b".", b".")
    syscall("umount2", b".", MNT_DETACH)
    os.chdir("/")
