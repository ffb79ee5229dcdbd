"""Rules that several kinds of process share: computing, and nothing that leaves the process.

Numbers are those of linux/mman.h, linux/futex.h, linux/resource.h and linux/time.h, which are the
same on x86_64 and aarch64.
"""

from __future__ import annotations

from typing import Final

from doublevm.jail.rules import INT_BITS, Arg, Rule, equal, int_equal, masked

PROT_WRITE: Final = 0x2
PROT_EXEC: Final = 0x4
MAP_TYPE: Final = 0x0F
MAP_PRIVATE: Final = 0x02
MAP_ANONYMOUS: Final = 0x20
MAP_GROWSDOWN: Final = 0x100
MAP_LOCKED: Final = 0x2000
MAP_HUGETLB: Final = 0x40000

MAP_KINDS: Final = MAP_TYPE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_LOCKED | MAP_HUGETLB
"""What says where memory comes from. A stack that grows is none that RLIMIT_DATA counts."""

FUTEX_FLAGS: Final = 0x80 | 0x100
"""FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME, which change no operation."""
FUTEX_OPERATIONS: Final = {
    "FUTEX_WAIT": 0,
    "FUTEX_WAKE": 1,
    "FUTEX_REQUEUE": 3,
    "FUTEX_WAIT_BITSET": 9,
    "FUTEX_WAKE_BITSET": 10,
}
"""What locks, conditions and semaphores of glibc, musl and Rust are made of."""

ADVICE: Final = {
    "MADV_DONTNEED": 4,
    "MADV_FREE": 8,
    "MADV_HUGEPAGE": 14,
    "MADV_NOHUGEPAGE": 15,
    "MADV_GUARD_INSTALL": 102,
    "MADV_GUARD_REMOVE": 103,
}
"""What allocators and thread libraries give; among the rest is the sharing of equal pages."""

RUSAGE_SELF: Final = 0
POSIX_CLOCKS: Final = masked(0, INT_BITS & ~0xF, 0)
"""Clocks 0 to 15; negative numbers are the CPU clocks of other processes, and devices."""


def each(why: str, *names: str) -> tuple[Rule, ...]:
    """Return a rule without conditions for each name."""
    return tuple(Rule(name, why) for name in names)


def each_when(why: str, when: tuple[Arg, ...], *names: str) -> tuple[Rule, ...]:
    """Return the same rule for each name."""
    return tuple(Rule(name, why, when) for name in names)


NO_EXEC_PROTECTION: Final = masked(2, PROT_EXEC, 0)

# INVARIANT: code comes into a process before its seal or not at all: no new mapping is executable,
# and none becomes executable later.
MEMORY: Final = (
    Rule(
        "mmap",
        "memory of one's own: no file, not executable, shared, pinned, a stack, or of huge pages",
        (
            NO_EXEC_PROTECTION,
            masked(3, MAP_KINDS, MAP_PRIVATE | MAP_ANONYMOUS),
        ),
    ),
    Rule("mprotect", "allocators and guard pages; never executable", (NO_EXEC_PROTECTION,)),
    *each("giving memory back, growing it in place", "munmap", "mremap", "brk"),
    *(Rule("madvise", f"{name}: allocators", (int_equal(2, n),)) for name, n in ADVICE.items()),
)

THREADING: Final = (
    *(
        Rule("futex", f"{name}: locks", (masked(1, INT_BITS & ~FUTEX_FLAGS, number),))
        for name, number in FUTEX_OPERATIONS.items()
    ),
    *each("the C library says where it keeps its locks", "set_robust_list", "rseq"),
    *each("spinning locks", "sched_yield"),
    *each("how many threads are worth while", "sched_getaffinity"),
)

TIME: Final = (
    *each_when("reading clocks", (POSIX_CLOCKS,), "clock_gettime", "clock_getres"),
    *each("reading clocks where the C library asks the kernel", "gettimeofday", "time"),
    *each_when("sleeping", (POSIX_CLOCKS,), "clock_nanosleep"),
    *each("sleeping, and going on after a signal", "nanosleep", "restart_syscall"),
)

SIGNALS: Final = each(
    "receiving signals; none can be sent with these",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
)

ITSELF: Final = (
    *each("who it is", "getpid", "gettid", "getuid", "geteuid", "getgid", "getegid"),
    Rule("getrusage", "its own use of CPU and memory", (int_equal(0, RUSAGE_SELF),)),
    Rule("prlimit64", "reading its own limits", (int_equal(0, 0), equal(2, 0))),
)

ENDING: Final = each("ending", "exit", "exit_group")
RANDOMNESS: Final = each("random numbers, hash seeds", "getrandom")
PIPES: Final = each("its pipes: what it has inherited, as it can open nothing", "read", "write")
DESCRIPTORS: Final = each("descriptors it has", "close", "lseek")

COMPUTING: Final = (*THREADING, *TIME, *SIGNALS, *ITSELF, *ENDING, *RANDOMNESS, *PIPES)
"""Everything but memory, which is different while a program is being loaded."""
