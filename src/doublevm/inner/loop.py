"""The guest's event loop: asyncio without descriptors.

A sealed process cannot open the sockets asyncio's own loops need, so the selector is replaced by
one question to the parent VM: "what has been answered, and wake me in so many seconds".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from doublevm.wire.inner_frames import Wait

if TYPE_CHECKING:
    from doublevm.inner.calls import Caller
    from doublevm.inner.pipe import ParentPipe


class GuestLoop(asyncio.BaseEventLoop):
    """An event loop whose only I/O is the pipe to the parent VM."""

    def __init__(self, pipe: ParentPipe, caller: Caller) -> None:
        """Wait through ``pipe`` for the calls that ``caller`` has open."""
        super().__init__()
        self._pipe, self._caller = pipe, caller
        self._selector = self  # BaseEventLoop asks ``_selector.select`` for events

    def select(self, timeout: float | None) -> list[Any]:
        """Wait for answers, as a selector waits for descriptors."""
        if timeout is not None and timeout <= 0:
            return []
        self._caller.settle(self._pipe.ask(Wait(timeout)).answers)
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none: ``select`` has handed on the answers already."""

    def _write_to_self(self) -> None:
        """Nobody else wakes this loop: there is one thread."""


class GuestLoopPolicy(asyncio.DefaultEventLoopPolicy):
    """Makes ``asyncio.run`` in a guest use the guest's loop."""

    def __init__(self, pipe: ParentPipe, caller: Caller) -> None:
        """Make loops that wait through ``pipe``."""
        super().__init__()
        self._pipe, self._caller = pipe, caller

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a fresh loop."""
        return GuestLoop(self._pipe, self._caller)
