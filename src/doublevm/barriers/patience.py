"""How long what the host gave may think: its regular expressions and its own patterns.

The parent VM has a timer and the monitor has none, so the monitor is given a ``Patience``.
"""

from __future__ import annotations

from collections.abc import Callable

Patience = Callable[[Callable[[], object]], object]
"""Calls a function and returns its answer; raises TooSlowError in it when it takes too long."""


class TooSlowError(BaseException):
    """There was no answer in time. No Exception, so that it is not caught on the way."""


def for_ever(ask: Callable[[], object]) -> object:
    """Return the answer of ``ask``, however long it takes."""
    return ask()
