"""The pairs of one zygote: forked, and looked after when they have ended."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
from typing import TYPE_CHECKING, Final

from doublevm.confinement import Confinement
from doublevm.inner.preload import load
from doublevm.jail.identity import close_all_but, name_process
from doublevm.jail.seccomp import assemble_all
from doublevm.parent.late import load_what_is_loaded_late
from doublevm.parent.process import be_parent_vm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

_REMEMBERED: Final = 1000
"""How pairs ended that nobody has asked about yet: the newest are kept."""
_BROKEN: Final = 70
"""Exit status of a parent VM whose own machinery failed: EX_SOFTWARE of sysexits.h."""


class Pairs:
    """Forks parent VMs, which fork their templates."""

    def __init__(
        self, missing: Mapping[str, str], folders: Sequence[str], packages: Sequence[str]
    ) -> None:
        """Load what a parent VM needs.

        Args:
            missing: mechanisms of confinement that do not work here.
            folders: where the packages are found.
            packages: what guests on cpython can import beside the standard library.
        """
        self._missing = missing
        self._folders, self._packages = folders, packages
        self._living: set[int] = set()
        self._ended: dict[int, int] = {}
        self.warm = False
        """Whether everything is loaded that a template needs."""
        load_what_is_loaded_late()
        if "seccomp" not in missing:
            assemble_all()
        # The parent VM reports it, should it not be installed.
        with contextlib.suppress(ImportError):
            importlib.import_module("pydantic_monty")
        self._freeze()

    def warm_up(self) -> None:
        """Load what each template would have to load otherwise."""
        if not self.warm:
            self.warm = True
            # A package that fails does so again in the template, which says why.
            with contextlib.suppress(Exception):
                load(self._packages, self._folders)
            self._freeze()

    def spawn(
        self,
        read_fd: int,
        write_fd: int,
        missing: Mapping[str, str] | None,
        cpython: int | None,
    ) -> int:
        """Fork a parent VM that speaks through these descriptors; return its pid.

        Args:
            read_fd: what it reads from.
            write_fd: what it writes to.
            missing: mechanisms that do not work here; None for what this zygote knows.
            cpython: the weakest rung that guests may run on cpython with; None if none will.

        Raises:
            OSError: the kernel refused.
        """
        confinement = Confinement(self._missing if missing is None else missing)
        wanted = cpython is not None and confinement.rung >= cpython
        packages = (self._packages, self._folders) if wanted else None
        pid = _fork(confinement)
        if pid == 0:
            _become(read_fd, write_fd, confinement, packages)
        self._living.add(pid)
        return pid

    def reap(self) -> None:
        """Take note of pairs that have ended, and end what they left behind."""
        while self._living:
            info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if info is None:
                return
            # Until it is waited for, its pid names no other group.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(info.si_pid, signal.SIGKILL)
            self._note(*os.waitpid(info.si_pid, 0))

    def status(self, pid: int) -> int | None:
        """Return how one ended, of which it is known that it has; None if that is forgotten."""
        self.reap()
        return self._ended.pop(pid, None)

    def _note(self, pid: int, status: int) -> None:
        self._living.discard(pid)
        self._ended[pid] = os.waitstatus_to_exitcode(status)
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]

    @staticmethod
    def _freeze() -> None:
        """What is there now is never collected, so that forks share its memory."""
        gc.collect()
        gc.freeze()


def _fork(confinement: Confinement) -> int:
    if "namespaces" not in confinement.in_force:
        return os.fork()
    from doublevm.jail import namespaces  # noqa: PLC0415 - Linux's own

    return namespaces.fork_with_own_pids()


def _become(
    read_fd: int,
    write_fd: int,
    confinement: Confinement,
    packages: tuple[Sequence[str], Sequence[str]] | None,
) -> NoReturn:
    """Be a parent VM: nothing of the zygote's may be in its reach."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        close_all_but((0, 1, 2, read_fd, write_fd))
        os.setpgid(0, 0)
        name_process("dvm-parent")
        be_parent_vm(read_fd, write_fd, confinement, packages)
    finally:  # whatever happens, this process is not another zygote
        os._exit(_BROKEN)
