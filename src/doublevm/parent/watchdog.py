"""The watchdog: ends a guest that does not end itself, and the pair when the host is gone.

The relay waits for the guest, in a read or inside an engine, and sees nothing else meanwhile. So a
second thread watches the clock and the host's end of the pipe, and does one thing: it kills.
"""

from __future__ import annotations

import os
import select
import threading
import time
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_HANG_UP = 1
"""Exit status of a parent VM whose host is gone."""


class Stop(Enum):
    """Why a run was stopped from outside the guest."""

    TIMEOUT = "timeout"
    OUTPUT_BYTES = "output bytes"
    OUTPUT_LINES = "output lines"
    DENIALS = "denials"


class Watchdog:
    """Kills the inner VM at the deadline, on request, or when the host hangs up."""

    def __init__(self, host_fd: int) -> None:
        """Watch ``host_fd`` for a hang-up, once it is started."""
        self._lock = threading.Lock()
        self._kill: Callable[[], None] | None = None
        self._reason: Stop | None = None
        self.deadline = float("inf")
        """When the run must have ended; stays until it has, also once it was stopped."""
        self._due = float("inf")
        self._woken_fd, self._wake_fd = os.pipe()
        self._host_fd = host_fd
        self._poll = _poll_for_hang_up(host_fd, self._woken_fd)

    def start(self) -> None:
        """Begin to watch, in a thread of its own."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def arm(self, seconds: float, kill: Callable[[], None]) -> None:
        """Begin to watch a run: ``kill`` is called once if it must be stopped."""
        with self._lock:
            self._kill, self._reason = kill, None
            self.deadline = self._due = time.monotonic() + seconds
        os.write(self._wake_fd, b"!")

    def stop(self, reason: Stop) -> None:
        """Stop the run that is being watched; the first reason stands."""
        with self._lock:
            self._stop(reason)

    @property
    def reason(self) -> Stop | None:
        """Why the run was stopped, or None."""
        return self._reason

    def disarm(self) -> Stop | None:
        """End the watch; return why the run was stopped, or None."""
        with self._lock:
            self._kill, self.deadline = None, float("inf")
            self._due = self.deadline
            return self._reason

    def _stop(self, reason: Stop) -> None:
        if self._kill is not None and self._reason is None:
            self._reason = reason
            self._kill()

    def _watch(self) -> None:
        while True:
            for fd in self._poll(max(0.0, self._due - time.monotonic())):
                if fd == self._host_fd:
                    self._hang_up()
                os.read(self._woken_fd, 4096)
            with self._lock:  # or a run armed meanwhile would lose its deadline
                if time.monotonic() >= self._due:
                    self._due = float("inf")
                    self._stop(Stop.TIMEOUT)

    def _hang_up(self) -> None:
        with self._lock:
            if self._kill is not None:
                self._kill()
            os._exit(_HANG_UP)


def _poll_for_hang_up(host_fd: int, woken_fd: int) -> Callable[[float], list[int]]:
    """Return a function that waits for a hang-up or a wake-up and returns the descriptors.

    A mask of 0 reports hang-ups only: frames from the host are the relay's to read.
    """
    if hasattr(select, "epoll"):
        epoll = select.epoll()
        epoll.register(host_fd, 0)
        epoll.register(woken_fd, select.EPOLLIN)
        return lambda seconds: [fd for fd, _ in epoll.poll(_finite(seconds))]
    poll = select.poll()
    poll.register(host_fd, 0)
    poll.register(woken_fd, select.POLLIN)
    return lambda seconds: [fd for fd, _ in poll.poll(_finite(seconds) * 1000)]


def _finite(seconds: float) -> float:
    return min(seconds, 3600.0)
