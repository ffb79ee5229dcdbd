"""Namespaces: a root folder with nothing in it, no network, no capability.

See namespaces(7), user_namespaces(7) and pivot_root(2); numbers are those of linux/sched.h and
linux/mount.h. Unprivileged user namespaces are switched off on some systems: ask ``available``.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from doublevm.jail.identity import (
    PR_SET_DUMPABLE,
    close_all_but,
    drop_capabilities,
    no_new_privs,
    take_own_uid,
)
from doublevm.jail.libc import prctl, syscall
from doublevm.jail.trial import reason_against

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLONE_NEWNS: Final = 0x0002_0000
CLONE_NEWCGROUP: Final = 0x0200_0000
CLONE_NEWUTS: Final = 0x0400_0000
CLONE_NEWIPC: Final = 0x0800_0000
CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWPID: Final = 0x2000_0000
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

_ALL_BUT_USERS_AND_PIDS: Final = (
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET
)
_MOUNT_POINT: Final = b"/proc"
"""The one folder that is sure to be there: the maps of ids have just been written below it."""

_SWAP: Final = b"!"


def enter_pids() -> None:
    """Have the next process that is forked be the first one in a namespace of pids of its own.

    When that one ends, the kernel kills all others in there. It keeps the capability to enter
    further namespaces, over a namespace of users where this process has none. This process can
    start no further one: see ``fork_with_own_pids`` for that.

    Raises:
        OSError: it is not allowed here.
    """
    try:
        syscall("unshare", CLONE_NEWPID)
    except PermissionError:
        if os.geteuid() == 0:  # one that may not: no other uid would be left to VMs
            raise
        _unshare_with_same_ids(CLONE_NEWUSER | CLONE_NEWPID)


def fork_with_own_pids() -> int:
    """Fork a child that is number 1 in a namespace of pids of its own; return what os.fork does.

    For a process that ``enter_pids`` was called for, and those it has forked: it could start no
    thread while its children are to be elsewhere, so it comes back.

    Raises:
        OSError: the kernel refused.
    """
    back = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscall("unshare", CLONE_NEWPID)
        pid = -1
        try:
            pid = os.fork()
        finally:
            # Also if there was no room for a child: or none could ever be forked again.
            if pid != 0:
                syscall("setns", back, CLONE_NEWPID)
    finally:
        os.close(back)
    return pid


def enter() -> RootSwap:
    """Move this process into namespaces of its own, in which every file is still there.

    For one that has to start a program: what is returned takes the files away. Call it with one
    thread, and drop the capabilities after it.

    Raises:
        OSError: the kernel refused.
    """
    syscall("unshare", _ALL_BUT_USERS_AND_PIDS)
    syscall("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    return RootSwap()


class RootSwap:
    """Takes the root folder from everybody in this process's mount namespace, later.

    Done by a process of its own: this one will have given up the right to, and Landlock refuses it
    to whoever has entered that. pivot_root(2) changes the root of every process that has the old.
    """

    def __init__(self) -> None:
        """Fork that process. It waits, and ends if nobody is left to wait for."""
        reads, self._orders = os.pipe()
        self._answers, writes = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            close_all_but((reads, writes))
            _swap_when_told(reads, writes)
        os.close(reads)
        os.close(writes)

    def __call__(self) -> None:
        """Do it: nothing is left but an empty folder.

        Raises:
            OSError: it failed.
        """
        os.write(self._orders, _SWAP)
        answer = os.read(self._answers, 200)
        os.close(self._orders)
        os.close(self._answers)
        os.waitpid(self._pid, 0)
        if answer != _SWAP:
            raise OSError(f"the root folder stays: {answer.decode() or 'nobody took it away'}")


def _swap_when_told(reads: int, writes: int) -> NoReturn:
    try:
        if os.read(reads, 1) == _SWAP:
            _swap_root()
            os.write(writes, _SWAP)
    except OSError as error:
        os.write(writes, str(error).encode()[:200])
    os._exit(0)


def enter_empty_root() -> None:
    """Move this process into namespaces of its own, with an empty root that cannot be written.

    Its uid and gid stay what they are; it has no network, and no capability, nor a way to one.
    Call it with one thread, before ``forbid_inspection``. It works for root and for others.

    Raises:
        OSError: user namespaces are not allowed here, or there is a second thread. The process
            may be half way in: end it.
    """
    no_new_privs()
    _unshare_with_same_ids(CLONE_NEWUSER | _ALL_BUT_USERS_AND_PIDS)
    syscall("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    _swap_root()
    # INVARIANT: without CAP_SYS_ADMIN in its namespace it can neither mount nor move.
    drop_capabilities()


def available() -> str | None:
    """Try all of it in child processes; return why it is not available, or None if it is."""
    return reason_against(_enter_as_vms_do)


def _enter_as_vms_do() -> None:
    """Go the way of a zygote, a parent VM and a template, up to where each has an empty root."""
    enter_pids()
    _in_a_child(_enter_as_a_pair_does)


def _enter_as_a_pair_does() -> None:
    _in_a_child(_enter_as_a_template_does, fork_with_own_pids)
    swap = enter()
    take_own_uid()
    drop_capabilities()
    swap()


def _enter_as_a_template_does() -> None:
    # Some systems allow root to, and nobody else: a root host's template is no longer root.
    take_own_uid()
    enter_empty_root()


def _in_a_child(attempt: Callable[[], None], fork: Callable[[], int] = os.fork) -> None:
    reason = reason_against(attempt, fork)
    if reason is not None:
        raise OSError(reason)


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
    flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    syscall("mount", b"none", _MOUNT_POINT, b"tmpfs", flags, b"mode=0555,size=4096,nr_inodes=1")
    os.chdir(_MOUNT_POINT)
    # Old root on top of the new one, as pivot_root(2) describes: it needs no folder, and goes next.
    syscall("pivot_root", b".", b".")
    syscall("umount2", b".", MNT_DETACH)
    os.chdir("/")
