"""Rate: no sliding second holds more accepted operations than allowed.

Only the times of the last accepted operations are kept, as many as a second may hold, so judging
takes the same time whatever the traffic. A refused operation is not noted: trying again too early
does not make the wait longer.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from doublevm.verdict import Deny

WINDOW: Final = 1.0
"""Seconds."""


class RateBarrier:
    """Counts accepted operations."""

    def __init__(self, max_operations_per_second: int) -> None:
        """Begin with nothing accepted."""
        self._accepted: deque[float] = deque(maxlen=max_operations_per_second)

    def wait(self, now: float) -> float:
        """Return the seconds until an operation may be accepted; 0.0 if it may be now."""
        accepted = self._accepted
        if len(accepted) < (accepted.maxlen or 0):
            return 0.0
        # INVARIANT: the oldest of the last N accepted lies at least a second back, so the
        # half-open second that ends now holds fewer than N.
        return max(0.0, accepted[0] + WINDOW - now)

    def judge(self, now: float) -> Deny | None:
        """Deny what would be one too many."""
        wait = self.wait(now)
        if wait == 0.0:
            return None
        limit = self._accepted.maxlen
        return Deny(
            "rate",
            "max_operations_per_second",
            f"more than {limit} operations a second; try again in {wait:.3f} s",
        )

    def accept(self, now: float) -> None:
        """Note an operation that was accepted."""
        self._accepted.append(now)
