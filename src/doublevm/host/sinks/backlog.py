"""Entries that wait for a sink nobody waits for, and a thread that brings them there."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from doublevm.host.sinks.entries import Dropped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doublevm.host.sinks.entries import AnyEntry

AT_ONCE: Final = 500
"""Entries that are written together at most."""
PATIENCE: Final = 10.0
"""Seconds that ``close`` waits for what is still to be written."""


class Backlog:
    """A bounded queue. What it has no room for is counted, and the count is written in its place.

    So a trail with gaps says where they are, and how large.
    """

    def __init__(self, keep: Callable[[Sequence[AnyEntry]], object], capacity: int) -> None:
        """Start no thread yet. ``keep`` writes entries, or raises."""
        self._keep, self._capacity = keep, capacity
        self.dropped = 0
        """Entries given up since the beginning."""
        self._begin()

    def _begin(self) -> None:
        self._owner = os.getpid()
        self._waiting: deque[AnyEntry] = deque()
        self._changed = threading.Condition()
        self._serving = self._closed = False
        self._unsaid = 0
        """Dropped ones that no entry has told of yet."""

    def put(self, entries: Sequence[AnyEntry]) -> None:
        """Queue entries, or drop them. Never waits for the sink.

        Raises:
            RuntimeError: the sink was closed.
        """
        if self._owner != os.getpid():  # a forked child has the queue, but not the thread
            self._begin()
        with self._changed:
            if self._closed:
                raise RuntimeError("the sink was closed")
            if len(self._waiting) + len(entries) > self._capacity:
                self._drop(len(entries))
                return
            self._waiting.extend(entries)
            if not self._serving:
                self._serving = True
                threading.Thread(target=self._serve, name="doublevm-audit", daemon=True).start()
            self._changed.notify_all()

    def close(self) -> None:
        """Wait a while for what is queued; the rest is dropped."""
        if self._owner != os.getpid():
            return
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            deadline = time.monotonic() + PATIENCE
            while self._serving and time.monotonic() < deadline:
                self._changed.wait(deadline - time.monotonic())
            self._drop(len(self._waiting))
            self._waiting.clear()

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._unsaid += count

    def _serve(self) -> None:
        while (batch := self._next()) is not None:
            entries, gap = batch
            try:
                self._keep([*gap, *entries])
            # The border of the thread: a sink that is not required may fail, and that is counted.
            except Exception:  # noqa: BLE001
                with self._changed:
                    self._drop(len(entries))
                    self._unsaid += sum(each.count for each in gap)
                    if not entries:  # the very last words
                        break
        with self._changed:
            self._serving = False
            self._changed.notify_all()

    def _next(self) -> tuple[list[AnyEntry], list[Dropped]] | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if not self._waiting and not self._unsaid:
                return None
            size = min(AT_ONCE, len(self._waiting))
            entries = [self._waiting.popleft() for _ in range(size)]
            gap = [Dropped(time.time(), self._unsaid)] if self._unsaid else []
            self._unsaid = 0
            return entries, gap
