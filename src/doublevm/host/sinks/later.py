"""What may be written a moment later is: together with what comes next, or by a thread.

An outcome has nobody who waits for it. Written with the attempt after it, it costs no transaction
of its own; and if none comes, the host is idle, and the thread has all the time it needs.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SOON: Final = 0.01
"""Seconds that something waits at most, about."""
_ROUNDS: Final = 50
"""Times that the thread finds nothing to do before it ends: starting it costs more than a look."""


class Later:
    """A thread that looks, from when it is first needed until nothing has come for a while."""

    def __init__(self, look: Callable[[], bool]) -> None:
        """Start none yet. ``look`` says whether there was something to do."""
        self._look = look
        self._begin()

    def _begin(self) -> None:
        self._is_awake = False
        self._lock = threading.Lock()

    def soon(self) -> None:
        """Have it look within SOON."""
        if self._is_awake:
            return
        with self._lock:
            if not self._is_awake:
                self._is_awake = True
                threading.Thread(target=self._serve, name="doublevm-audit", daemon=True).start()

    def forget(self) -> None:
        """In a forked child: the thread is the parent's."""
        self._begin()

    def _serve(self) -> None:
        idle = 0
        while idle < _ROUNDS:
            time.sleep(SOON)
            idle = 0 if self._look() else idle + 1
        self._is_awake = False
        # What has come just before, from who thought that it was awake.
        if self._look():
            self.soon()
