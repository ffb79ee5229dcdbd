"""How long judging may take: a timer of this process interrupts it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

from doublevm.barriers.patience import TooSlowError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

DETECT_SECONDS: Final = 0.5
"""One operation is judged; a thousandth of this is plenty. It is half of the default
``parent_timeout_buffer``: an attempt just before the timeout is on record before the host kills the
pair."""


def patience(ask: Callable[[], object], seconds: float | None = None) -> object:
    """Return the answer of ``ask``, which may take so many seconds, or DETECT_SECONDS.

    Raises:
        TooSlowError: within ``ask``, when it takes too long; repeated, should it be caught there.
    """
    waiting = True

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if waiting:
            raise TooSlowError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds or DETECT_SECONDS, DETECT_SECONDS / 10)
        return ask()
    finally:
        # INVARIANT: nothing but ``ask`` is interrupted. Python runs signal handlers at calls and
        # jumps only, so there is no moment between the try block and this. A context manager would
        # have one: at the entry of its ``__exit__``.
        waiting = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        # The default action would end this process, should a last signal be on its way to another
        # thread; this handler does nothing any more.
        if callable(before):
            signal.signal(signal.SIGALRM, before)
