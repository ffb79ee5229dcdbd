"""What a run asks of its driver, and what it is told.

A run yields an effect; the driver performs it and sends the answer:

- ``Send(frame)``: send it; answer None.
- ``Next()``: wait for a frame of the parent VM, or for a concurrent handler; answer a frame, a
  ``Finished`` or an ``Escaped``.
- ``Clock(seconds)``: from now on the run may take so long; answer None.
- ``Consult(ask, seconds)``: ask the host's scorer; answer what it says, or an Unanswered.
- ``Keep(entries, kept)``: have them written to the sinks; answer None, or the denial if that
  failed.
- ``Invoke(call, …)``: run the handler. Not concurrent: answer its ``Finished``. Concurrent: start
  it, answer None, and let ``Next`` give its Finished later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.host.handlers import Invocation
    from doublevm.host.sinks.entries import Attempt, Ended, Program
    from doublevm.wire import frames as f


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame to the parent VM."""

    frame: f.HostFrame


@dataclass(frozen=True, slots=True)
class Next:
    """Wait for what comes next."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The guest has started: the run may take ``seconds`` from now."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Consult:
    """Ask the host's own scorer, which may take ``seconds``."""

    ask: Callable[[], Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class Invoke:
    """Run a handler."""

    call: int
    invocation: Invocation
    concurrent: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """A handler has ended."""

    call: int
    answer: f.Returned | f.Raised
    duration: float


@dataclass(frozen=True, slots=True)
class Escaped:
    """What no handler's caller handles, a SystemExit say, has left a concurrent handler."""

    run: int
    error: BaseException


@dataclass(frozen=True, slots=True)
class Keep:
    """Write to the sinks, durably."""

    entries: tuple[Program | Attempt | Ended, ...]
    kept: Callable[[], tuple[Ended, ...]] | None = None
    """Called by whoever has written them, once they are on record; gives what is to be written
    next. The run may have been given up meanwhile, and then nobody listens to the answer."""


Effect = Send | Next | Clock | Consult | Keep | Invoke
