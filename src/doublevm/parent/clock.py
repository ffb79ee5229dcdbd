"""The time that operations are judged by."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def steady_epoch_clock() -> Callable[[], float]:
    """Return a clock of seconds since the epoch that no adjustment of the system's clock moves.

    Rates and windows are spans of time: they follow the monotonic clock, anchored once.
    """
    anchor = time.time() - time.monotonic()
    return lambda: anchor + time.monotonic()
