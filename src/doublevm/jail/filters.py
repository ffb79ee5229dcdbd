"""What each kind of VM process may ask of the kernel: one table per kind, a reason per rule.

A table is the whole list: what it does not name is refused. Numbers are those of linux/sched.h,
linux/prctl.h, linux/seccomp.h, asm-generic/resource.h, asm-generic/fcntl.h and asm/prctl.h.
"""

from __future__ import annotations

import errno
import signal
from types import MappingProxyType
from typing import Final

from doublevm.jail.grants import (
    COMPUTING,
    DESCRIPTORS,
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    MAP_TYPE,
    MEMORY,
    PROT_EXEC,
    PROT_WRITE,
    each,
)
from doublevm.jail.refusals import REFUSALS
from doublevm.jail.rules import INT_BITS, Rule, Table, at_least, below, equal, int_equal, masked

FORK_FLAGS: Final = 0x0120_0000
"""CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID: glibc's fork sets both, musl's neither."""
THREAD_FLAGS: Final = 0x003D_0F00
"""VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID."""
CLONE_DETACHED: Final = 0x0040_0000
"""Set by musl, ignored by the kernel."""

ITIMER_REAL: Final = 0
F_GETFD, F_SETFD, F_GETFL, F_SETFL = 1, 2, 3, 4
F_DUPFD_CLOEXEC: Final = 1030
LIMITS_OF_A_WORKER: Final = {
    "RLIMIT_DATA": 2,
    "RLIMIT_FSIZE": 1,
    "RLIMIT_CORE": 4,
    "RLIMIT_NPROC": 6,
    "RLIMIT_NOFILE": 7,
}
PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_NAME: Final = 15
PR_SET_NO_NEW_PRIVS: Final = 38
SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_FILTER_FLAG_TSYNC: Final = 1
ARCH_SET_FS: Final = 0x1002
OPEN_FLAGS_WITHOUT_EFFECT: Final = 0x8000 | 0x2_0000 | 0x8_0000
"""O_LARGEFILE, O_NOFOLLOW and O_CLOEXEC; the first two trade places between the machines."""
AT_EMPTY_PATH: Final = 0x1000
ONE_PROCESS: Final = (at_least(0, 1), below(0, 2**31))
"""A pid: not 0 or negative, which name a group or everybody."""


def _table(name: str, *rules: Rule) -> Table:
    return Table(name, rules, errno.EPERM, MappingProxyType(REFUSALS))


_WAITING: Final = each(
    "waiting for descriptors that are open", "select", "pselect6", "poll", "ppoll"
)
_CHILDREN: Final = each("how children ended", "wait4", "waitid")
_OWN_SEAL: Final = (
    Rule("prctl", "its own seal: no inspection", (int_equal(0, PR_SET_DUMPABLE), equal(1, 0))),
    Rule("prctl", "its own seal", (int_equal(0, PR_SET_NO_NEW_PRIVS), equal(1, 1))),
    Rule(
        "seccomp",
        "its own seal: a filter on top of this one",
        (
            int_equal(0, SECCOMP_SET_MODE_FILTER),
            masked(1, INT_BITS & ~SECCOMP_FILTER_FLAG_TSYNC, 0),
        ),
    ),
    Rule("prlimit64", "its own seal: lowering its limits", (int_equal(0, 0),)),
)
"""What a process needs that seals itself further: a forked guest, and a parent VM that starts."""

_FLAGS_OF_DESCRIPTORS: Final = tuple(
    Rule("fcntl", f"flags of a descriptor: {command}", (int_equal(1, number),))
    for command, number in (
        ("F_GETFD", F_GETFD),
        ("F_SETFD", F_SETFD),
        ("F_GETFL", F_GETFL),
        ("F_SETFL", F_SETFL),
    )
)

GUEST: Final = _table("GUEST", *COMPUTING, *MEMORY, *DESCRIPTORS)
"""A cpython guest: reads and writes its pipes, and computes.

No thread, as it has no ``clone``; no signal to anybody, itself included: ``os.abort`` ends it by
an illegal instruction instead. ``alarm`` and timers are refused with the rest.
"""

TEMPLATE: Final = _table(
    "TEMPLATE",
    *GUEST.rules,
    *_WAITING,
    *_CHILDREN,
    *_FLAGS_OF_DESCRIPTORS,
    Rule(
        "clone",
        "fork: a new process, no thread and no new namespace",
        # Its flags are an unsigned long, of which the kernel takes the lower half.
        (masked(0, INT_BITS & ~FORK_FLAGS, signal.SIGCHLD),),
    ),
    Rule("fork", "fork as musl does it"),
    Rule("kill", "ending a guest", (*ONE_PROCESS, int_equal(1, signal.SIGKILL))),
    *each("a guest looks whether its parent is there", "getppid"),
    *each("a guest closes what it must not have", "close_range"),
    Rule(
        "prctl",
        "a guest dies with its parent",
        (int_equal(0, PR_SET_PDEATHSIG), equal(1, signal.SIGKILL)),
    ),
    *_OWN_SEAL,
)
"""A process that has loaded everything and forks guests, which seal themselves further."""

PARENT: Final = _table(
    "PARENT",
    *COMPUTING,
    *MEMORY,
    *DESCRIPTORS,
    *_WAITING,
    *_CHILDREN,
    *_FLAGS_OF_DESCRIPTORS,
    *each("an event loop's waiting", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl"),
    *each("pipes, and files in /proc that it opened before", "readv", "writev", "pread64"),
    *each("whether its host is there", "getppid"),
    Rule("setitimer", "the time limit of detectors", (int_equal(0, ITIMER_REAL),)),
    Rule(
        "pidfd_send_signal",
        "ending an inner VM: a descriptor leads to one process, and without flags to no group",
        (int_equal(1, signal.SIGKILL), int_equal(3, 0)),
    ),
)
"""The judging process once its children run; it starts no more of them, and no thread."""

WORKER: Final = _table(
    "WORKER",
    *COMPUTING,
    *MEMORY,
    Rule(
        "mmap",
        "libraries while they are loaded: a file's pages, writable or executable, never both",
        (
            masked(2, PROT_WRITE | PROT_EXEC, PROT_EXEC),
            masked(3, MAP_TYPE | MAP_ANONYMOUS, MAP_PRIVATE),
        ),
    ),
    Rule(
        "mmap",
        "libraries' data while they are loaded",
        (masked(2, PROT_EXEC, 0), masked(3, MAP_TYPE | MAP_ANONYMOUS, MAP_PRIVATE)),
    ),
    *each("the launcher becomes the worker; others are for Landlock to stop", "execve"),
    Rule(
        "openat",
        "libraries, read only",
        (masked(2, INT_BITS & ~OPEN_FLAGS_WITHOUT_EFFECT, 0),),
    ),
    *each("the size of a library that is open", "fstat"),
    Rule("newfstatat", "the same, newer", (masked(3, AT_EMPTY_PATH, AT_EMPTY_PATH),)),
    *each("a library's headers", "pread64", "close"),
    Rule("arch_prctl", "the main thread's own storage", (int_equal(0, ARCH_SET_FS),)),
    *each("starting the C library", "set_tid_address"),
    *each("whether descriptors 0 to 2 are open", "poll", "ppoll"),
    Rule("prctl", "naming its thread", (int_equal(0, PR_SET_NAME),)),
    Rule(
        "clone",
        "the thread that serves, with exactly a thread's flags",
        (masked(0, INT_BITS & ~CLONE_DETACHED, THREAD_FLAGS),),
    ),
)
"""The monty worker, from before its execve. Limits of 0 close the ways it needs at start alone.

``access`` is left out: "no such file" is the answer that a loader expects of it.
"""

VFORK_FLAGS: Final = 0x4100
"""CLONE_VM | CLONE_VFORK: how posix_spawn starts a process."""
AF_UNIX: Final = 1

STARTING: Final = _table(
    "STARTING",
    *{(rule.syscall, rule.when): rule for rule in (*PARENT.rules, *WORKER.rules)}.values(),
    Rule("clone", "starting the worker", (masked(0, INT_BITS & ~VFORK_FLAGS, signal.SIGCHLD),)),
    Rule("socketpair", "the client library's own signal pipe", (int_equal(0, AF_UNIX),)),
    Rule("fcntl", "the client library keeps copies", (int_equal(1, F_DUPFD_CLOEXEC),)),
    *each("pipes to the worker, and to wake threads", "pipe2", "eventfd2", "epoll_create1"),
    *each("the worker's ends become its 0 and 1", "dup2", "dup3"),
    *each("whether the worker is alive", "pidfd_open"),
    *each(
        "a second domain, with no file in it", "landlock_create_ruleset", "landlock_restrict_self"
    ),
    *_OWN_SEAL,
    *(
        Rule("prlimit64", f"sealing the worker from outside: {name}", (int_equal(1, number),))
        for name, number in LIMITS_OF_A_WORKER.items()
    ),
)
"""A parent VM between its first confinement and its seal, and the worker that it starts meanwhile.

The worker keeps this filter. Limits of 0, set from outside once it runs, close what is wider in it
than in WORKER: each of these needs a new descriptor or a new process.
"""

TABLES: Final = (GUEST, TEMPLATE, PARENT, WORKER, STARTING)
