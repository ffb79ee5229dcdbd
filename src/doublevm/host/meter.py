"""How many frames a guest sends: what no other limit counts, a host has to handle all the same."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW: Final = 1.0
"""Seconds that a rate is taken over; any such span, not only those that a clock strikes."""


class Meter:
    """Counts the frames of the last second.

    Text printed without a line's end counts as no line, and a single character as one byte: a guest
    may send a million frames and keep to all its other limits. Each of them wakes the host.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        """Allow ``most`` frames in any second; ``clock`` gives monotonic seconds."""
        self.most = most
        self._clock = clock
        self._times: deque[float] = deque()

    def exceeded(self) -> bool:
        """Count a frame; return whether it is one too many."""
        now, times = self._clock(), self._times
        while times and now - times[0] >= WINDOW:
            times.popleft()
        times.append(now)
        return len(times) > self.most
