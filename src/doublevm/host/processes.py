"""A pair of VM processes as the host holds it: two pipes, and a hold on the parent VM's process.

The parent VM is forked by the zygote and waited for there. It has its own namespace of processes
where the system allows that, and then everything it has started ends with it; elsewhere the zygote
ends its process group.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

GOODBYE_SECONDS: Final = 0.5
"""How long a parent VM has to end by itself once its pipe is closed; then it is killed."""


class PairProcess:
    """A parent VM and whatever it has started."""

    def __init__(
        self,
        fds: tuple[int, int],
        pid: int,
        pidfd: int | None,
        status: Callable[[int], int | None],
    ) -> None:
        """Take over a pair that was just started.

        Args:
            fds: what it writes is read from the first; what it reads is written to the second.
            pid: the parent VM's, as the one who started it sees it.
            pidfd: of the same process, where there are any.
            status: returns how the process of such a pid ended, once it has; None if nobody knows.
        """
        self.read_fd, self.write_fd = fds
        self._pipes = list(fds)
        self._pid, self._pidfd, self._status = pid, pidfd, status
        os.set_blocking(self.read_fd, False)
        os.set_blocking(self.write_fd, False)
        self._owner = os.getpid()
        # A finalizer may come by while this thread holds it.
        self._lock = threading.RLock()
        self._over = False
        _open_pairs.add(self)

    @property
    def pid(self) -> int:
        """The parent VM's process id as this process sees it.

        Raises:
            ProcessLookupError: it was waited for, and the number may be another one's.
        """
        if self._over:
            raise ProcessLookupError("the parent VM has ended")
        if self._pidfd is None:
            return self._pid
        text = Path(f"/proc/self/fdinfo/{self._pidfd}").read_text()
        return int(text.partition("\nPid:")[2].split()[0])

    @property
    def ours(self) -> bool:
        """Whether this process started it, rather than the one it was forked from."""
        return self._owner == os.getpid()

    def kill(self) -> None:
        """Kill the pair at once. From any thread, any number of times."""
        if not self.ours:
            return
        with self._lock, contextlib.suppress(ProcessLookupError):
            if self._over:
                return
            if self._pidfd is None:
                os.kill(self._pid, signal.SIGKILL)
            else:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self, *, kill: bool) -> None:
        """Hang up, let it end (or kill it), wait for that, close the pipes."""
        if kill:
            self.kill()
        self.hang_up()
        try:
            self._wait(None if kill else GOODBYE_SECONDS)
        finally:
            self.kill()
            self._wait(None)
            self._let_go()

    def hang_up(self) -> None:
        """Close the pipes."""
        _open_pairs.discard(self)
        # Taken one by one: of two threads, each closes what the other does not. No lock is asked
        # for, as in a forked child nobody would give it back.
        with contextlib.suppress(IndexError):
            while True:
                os.close(self._pipes.pop())

    def exit_status(self) -> str:
        """Say how the parent VM ended, for an error message."""
        if not self._wait(GOODBYE_SECONDS):
            return "it closed its pipe"
        status = self._status(self._pid)
        if status is None:
            return "it is gone"
        if status < 0:
            return f"it was killed by signal {-status}"
        return f"it ended with status {status}"

    def _wait(self, seconds: float | None) -> bool:
        """Wait for its end, at most so long; return whether it has ended."""
        if self._pidfd is None:
            return True  # nobody but the one who forked it could tell
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))

    def _let_go(self) -> None:
        with self._lock:
            self._over = True
            pidfd, self._pidfd = self._pidfd, None
        if pidfd is not None:
            os.close(pidfd)


_open_pairs: Final[weakref.WeakSet[PairProcess]] = weakref.WeakSet()
"""The pairs of this process whose pipes are open."""


def _let_go() -> None:
    """Drop the pipes in a forked child: or a pair would not see its own host hang up."""
    for pair in list(_open_pairs):
        pair.hang_up()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
