"""Installs a seccomp filter on this process: from then on, only what its table allows."""

from __future__ import annotations

import ctypes
import errno
from typing import TYPE_CHECKING, Final

from doublevm.jail.bpf import assemble
from doublevm.jail.filters import GUEST, TABLES
from doublevm.jail.identity import no_new_privs
from doublevm.jail.libc import syscall
from doublevm.jail.syscalls import this_machine
from doublevm.jail.trial import reason_against

if TYPE_CHECKING:
    from doublevm.jail.rules import Table

SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_FILTER_FLAG_TSYNC: Final = 1
"""From linux/seccomp.h."""

_BYTES_PER_INSTRUCTION: Final = 8


class _Program(ctypes.Structure):
    """``struct sock_fprog`` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


class Filter:
    """A table that has been assembled: to be installed at once, in a fork for example."""

    def __init__(self, table: Table, *, refuse_with: int | None = None) -> None:
        """Assemble it. ``refuse_with`` is for tests: see ``assemble``.

        Raises:
            UnsupportedMachineError: this machine's system calls are not known.
        """
        self.table = table
        code = assemble(table, this_machine(), refuse_with)
        self._program = _Program(len(code) // _BYTES_PER_INSTRUCTION, code)

    def install(self) -> None:
        """Confine all threads of this process, and its children, for good.

        A second filter does not replace the first: what either of them refuses is refused.

        Raises:
            OSError: the kernel refused, or a thread has a filter that the others have not.
        """
        no_new_privs()
        # INVARIANT: with TSYNC there is no thread that a filter leaves out.
        program = ctypes.byref(self._program)
        odd_one = syscall("seccomp", SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program)
        if odd_one != 0:
            message = f"seccomp: thread {odd_one} cannot take the filter {self.table.name}"
            raise OSError(errno.EBUSY, message)


_assembled: Final[dict[str, Filter]] = {}


def assemble_all() -> None:
    """Assemble every filter ahead of time: forks of this process have theirs at once then.

    To assemble one takes a millisecond or two, and memory that a fork would not share.
    """
    for table in TABLES:
        _assembled[table.name] = Filter(table)


def ready(table: Table) -> Filter:
    """Return a table's filter, assembled now if it was not before."""
    found = _assembled.get(table.name)
    return found if found is not None and found.table is table else Filter(table)


def install(table: Table) -> None:
    """Install a table's filter; raises what Filter and its ``install`` raise."""
    ready(table).install()


def available() -> str | None:
    """Try it in a child process; return why it is not available, or None if it is."""
    return reason_against(_try)


def _try() -> None:
    """Refuse one system call and look: some systems accept filters and ignore them."""
    install(GUEST)
    try:
        syscall("getppid")
    except OSError as error:
        if error.errno == GUEST.refusal("getppid"):
            return
        raise
    raise OSError("seccomp: a filter was installed and has no effect")
