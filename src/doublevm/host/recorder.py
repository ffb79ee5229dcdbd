"""What writes an enclave's operations to its sinks, and says so if it could not."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from doublevm.host.sinks.base import BaseSink
from doublevm.host.sinks.entries import Attempt, Ended
from doublevm.host.threads import threads
from doublevm.verdict import Deny

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from concurrent.futures import Future

    from doublevm.host.sinks.base import Sink
    from doublevm.host.sinks.entries import AnyEntry

    Submitted = Future[tuple[Any, BaseException | None]]

UNAVAILABLE: Final = Deny("audit", "unavailable", "it could not be put on record")
"""Says nothing of the sink: the guest reads it."""

LAST_WORDS: Final = 1.0
"""Seconds that the end of a run waits for sinks to take what became of its last operations."""


_log: Final = logging.getLogger("doublevm.audit")


class Recorder:
    """One enclave's sinks. From any thread."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        """Begin a conversation's part of the trail."""
        self._sinks = sinks
        self.enclave = secrets.token_hex(8)
        """What the trail calls the conversation."""
        self.blocking = any(sink.blocking for sink in sinks)
        """Whether ``write`` may wait."""
        self._putting_off = [sink for sink in sinks if isinstance(sink, BaseSink)]
        self._failing: set[str] = set()
        """What is known to fail, so that the log is told once."""

    def write(
        self,
        entries: Sequence[AnyEntry],
        wait: Callable[[Awaitable[None]], Any],
        kept: Callable[[], Sequence[AnyEntry]] | None = None,
    ) -> Deny | None:
        """Give entries to all sinks; return a denial if one that is required did not take them.

        ``wait`` waits for the sinks that are async. ``kept`` is called if there is no denial, and
        what it gives is written too.
        """
        denial, took = self._write(self._sinks, entries, wait)
        if denial is not None:
            # The others have on record that it was allowed.
            self._write(took, _given_up(entries), wait)
        elif kept is not None:
            self._write(self._sinks, kept(), wait)
        return denial

    def _write(
        self,
        sinks: Sequence[Sink],
        entries: Sequence[AnyEntry],
        wait: Callable[[Awaitable[None]], Any],
    ) -> tuple[Deny | None, list[Sink]]:
        """Return the denial, if there is one, and the sinks that took the entries."""
        denial, took, failing = None, [], set()
        for sink in sinks if entries else ():
            try:
                waiting = sink.write(entries)
                if waiting is not None:
                    wait(waiting)
                took.append(sink)
            # The border to the host's sinks: what is not kept may not happen.
            except Exception as error:  # noqa: BLE001
                failing.add(f"{type(sink).__name__}: {_in_short(error)}")
                if sink.required:
                    denial = UNAVAILABLE
        for problem in failing - self._failing:
            _log.error("an audit sink does not keep records: %s", problem)
        if entries and sinks is self._sinks:
            self._failing = failing
        return denial, took

    def end(self, entries: Sequence[AnyEntry], wait: Callable[[Awaitable[None]], Any]) -> None:
        """Give what is left to tell at the end of a run to all sinks; have them put nothing off."""
        self._write(self._sinks, entries, wait)
        for sink in self._putting_off:
            if sink.is_behind:
                sink.flush()

    @property
    def is_behind(self) -> bool:
        """Whether a sink has put something off that it was given."""
        return any(sink.is_behind for sink in self._putting_off)

    def write_soon(
        self, entries: Sequence[AnyEntry], submit: Callable[[Awaitable[None]], Submitted]
    ) -> None:
        """Give entries to all sinks in a thread, and wait for that a moment.

        A sink that hangs must not keep a run that was given up from ending.
        """
        written = threading.Event()

        def write() -> None:
            self.end(entries, waiting_by(submit))
            written.set()

        threads.run(write)
        written.wait(LAST_WORDS)


def waiting_by(submit: Callable[[Awaitable[None]], Submitted]) -> Callable[[Awaitable[None]], None]:
    """Return what waits for an async sink. The end of a run, which ends handlers, ends no writing.

    ``submit`` is HandlerLoop's.
    """

    def wait(waiting: Awaitable[None]) -> None:
        _, error = submit(waiting).result()
        if error is not None:
            raise error

    return wait


def _given_up(entries: Sequence[AnyEntry]) -> list[Ended]:
    """Return the outcomes of attempts whose handlers will not start after all."""
    told = {entry.number for entry in entries if isinstance(entry, Ended)}
    return [
        Ended(entry.enclave, entry.run, entry.number, time.time(), "abandoned", 0.0)
        for entry in entries
        if isinstance(entry, Attempt)
        and not isinstance(entry.verdict, Deny)
        and entry.number not in told
    ]


def _in_short(error: Exception) -> str:
    """Say what failed, and not in the error's own words: these may quote what was to be kept."""
    name = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name} ({os.strerror(error.errno)})"
    return name
