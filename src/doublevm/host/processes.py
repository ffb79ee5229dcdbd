"""A pair of VM processes as the host holds it: one child, its process group, and two pipes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import weakref
from typing import TYPE_CHECKING, Final

from doublevm.errors import EngineUnavailable
from doublevm.launch import python_command

if TYPE_CHECKING:
    from collections.abc import Callable

PARENT_MODULE: Final = "doublevm.parent.__main__"

GOODBYE_SECONDS: Final = 0.5
"""How long a parent VM has to end by itself once its pipe is closed; then it is killed."""


def parent_command(read_fd: int, write_fd: int) -> list[str]:
    """Return the command of a parent VM that speaks through the two descriptors."""
    return python_command(PARENT_MODULE, read_fd, write_fd)


class PairProcess:
    """A parent VM and whatever it has started, in a process group of their own.

    A group and not a session: Linux schedules sessions against each other as equals, and a guest's
    lower priority would count for nothing against its host.
    """

    def __init__(self, command: Callable[[int, int], list[str]] = parent_command) -> None:
        """Start it: nothing of the host's environment, descriptors or folder goes with it.

        Raises:
            EngineUnavailable: the process cannot be started.
        """
        self.read_fd, parent_writes = os.pipe()
        parent_reads, self.write_fd = os.pipe()
        try:
            self._process = subprocess.Popen(
                command(parent_reads, parent_writes),
                pass_fds=(parent_reads, parent_writes),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                process_group=0,
            )
        except OSError as error:
            os.close(self.read_fd)
            os.close(self.write_fd)
            raise EngineUnavailable(f"the parent VM cannot be started: {error}") from error
        finally:
            os.close(parent_reads)
            os.close(parent_writes)
        os.set_blocking(self.read_fd, False)
        os.set_blocking(self.write_fd, False)
        self._owner = os.getpid()
        _open_pairs.add(self)

    @property
    def pid(self) -> int:
        """The parent VM's process id."""
        return self._process.pid

    @property
    def ours(self) -> bool:
        """Whether this process started it, rather than the one it was forked from."""
        return self._owner == os.getpid()

    def kill(self) -> None:
        """Kill the pair at once. From any thread, any number of times, until it is closed."""
        # Until it is waited for, the leader keeps its process id, and so the group keeps its own.
        if self._process.returncode is None and self.ours:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self, *, kill: bool) -> None:
        """Hang up, let it end (or kill it), reap it, close the pipes."""
        if kill:
            self.kill()
        self.hang_up()
        try:
            self._wait(None if kill else GOODBYE_SECONDS)
        finally:
            # Also what a parent VM that died by itself has left behind.
            self.kill()
            self._process.wait()

    def hang_up(self) -> None:
        """Close the pipes."""
        if self in _open_pairs:
            _open_pairs.discard(self)
            os.close(self.write_fd)
            os.close(self.read_fd)

    def _wait(self, seconds: float | None) -> None:
        """Wait for the end without reaping, so that the group stays ours to kill."""
        if seconds is None:
            with contextlib.suppress(ChildProcessError):  # somebody else waited for it
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            return
        pidfd = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else None
        if pidfd is None:
            return
        import select  # noqa: PLC0415

        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            poll.poll(seconds * 1000)
        finally:
            os.close(pidfd)

    def exit_status(self) -> str:
        """Say how the parent VM ended, for an error message."""
        try:
            info = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:
            return "it is gone"
        if info is None:
            return "it closed its pipe"
        if info.si_code == os.CLD_EXITED:
            return f"it ended with status {info.si_status}"
        return f"it was killed by signal {info.si_status}"


_open_pairs: Final[weakref.WeakSet[PairProcess]] = weakref.WeakSet()
"""The pairs of this process whose pipes are open."""


def _let_go() -> None:
    """Drop the pipes in a forked child: or a pair would not see its own host hang up."""
    for pair in list(_open_pairs):
        pair.hang_up()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
