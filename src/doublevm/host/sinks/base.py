"""What all sinks have in common: the protocol, and what happens when one cannot keep up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, Literal, Protocol, runtime_checkable

from doublevm.errors import ConfigError
from doublevm.host.sinks.backlog import Backlog
from doublevm.host.sinks.entries import Program
from doublevm.host.sinks.redact import Redact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from typing import Self

    from doublevm.host.sinks.entries import AnyEntry

OnFull = Literal["block", "drop_and_count"]

CAPACITY: Final = 10_000
"""Entries that wait for a slow sink before any is dropped."""


@runtime_checkable
class Sink(Protocol):
    """Keeps the entries of a trail. One may serve any number of enclaves, from any thread."""

    @property
    def required(self) -> bool:
        """Whether no operation may pass that it could not keep."""

    @property
    def blocking(self) -> bool:
        """Whether ``write`` may wait, for a disk say, or return something to be awaited.

        Then an async enclave calls it in a thread.
        """

    def write(self, entries: Sequence[AnyEntry]) -> Awaitable[None] | None:
        """Keep entries, in this order. They are kept when it returns, or what it returns ends.

        Raises:
            Exception: they are not kept.
        """


class BaseSink(ABC):
    """A sink with the options that all of ours have."""

    def __init__(
        self,
        *,
        required: bool,
        on_full: OnFull = "block",
        capacity: int = CAPACITY,
        redact: Redact | None = None,
        programs: bool = False,
    ) -> None:
        """Check the options.

        Args:
            required: whether operations that cannot be kept are denied, ``[audit/unavailable]``.
            on_full: ``"block"``: whoever writes waits until entries are kept. ``"drop_and_count"``:
                nobody waits; a thread writes, and what it has no room for is dropped and counted.
            capacity: entries that may wait for that thread.
            redact: what is left out of what is kept.
            programs: whether the sources of programs are kept; else their SHA-256 alone.

        Raises:
            ConfigError: one is wrong; the message names it.
        """
        _check_flag("required", required)
        _check_flag("programs", programs)
        if on_full not in ("block", "drop_and_count"):
            raise ConfigError(f"on_full must be 'block' or 'drop_and_count', not {on_full!r}")
        if on_full == "drop_and_count" and required:
            raise ConfigError(
                "on_full='drop_and_count' contradicts required=True: what is required is never "
                "dropped; say required=False, or on_full='block'"
            )
        check_count("capacity", capacity)
        if redact is not None and not isinstance(redact, Redact):
            raise ConfigError(f"redact must be Redact(...), not {redact!r}")
        if programs and redact is not None and redact.has_fields:
            raise ConfigError(
                "programs=True contradicts redact=Redact(fields=...): a program's source may say "
                "what a field holds, and has no fields; leave programs out, or name what is secret "
                "in patterns="
            )
        self.required = required
        self._redact, self._programs = redact, programs
        self._lock, self._lock_of = threading.Lock(), os.getpid()
        self._backlog: Backlog | None = None
        if on_full == "drop_and_count":
            self._backlog = Backlog(self._keep_later, capacity)

    @property
    def blocking(self) -> bool:
        """Whether ``write`` may wait."""
        return self._backlog is None

    @property
    def dropped(self) -> int:
        """How many entries were given up."""
        return 0 if self._backlog is None else self._backlog.dropped

    def write(self, entries: Sequence[AnyEntry]) -> Awaitable[None] | None:
        """Keep entries, or have them kept soon; see ``on_full``.

        Raises:
            Exception: they could not be kept.
        """
        if not self._programs:
            entries = [e.without_source() if isinstance(e, Program) else e for e in entries]
        if self._redact is not None:
            entries = [self._redact.entry(entry) for entry in entries]
        if self._backlog is not None:
            self._backlog.put(entries)
            return None
        with self._locked():
            return self._keep(entries)

    @property
    def is_behind(self) -> bool:
        """Whether there is something that ``flush`` would write."""
        return False

    def flush(self) -> None:  # noqa: B027 - most put nothing off
        """Write what was put off, as nobody waited for it."""

    def close(self) -> None:
        """Write what waits, and end. Safe to call twice; what is written later raises."""
        if self._backlog is not None:
            self._backlog.close()
        with self._locked():
            self._end()

    def __enter__(self) -> Self:
        """Return the sink."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _locked(self) -> threading.Lock:
        """Return the lock: in a forked child a new one, as a thread that it has not may hold it."""
        if self._lock_of != os.getpid():
            self._lock, self._lock_of = threading.Lock(), os.getpid()
        return self._lock

    def _keep_later(self, entries: Sequence[AnyEntry]) -> None:
        with self._locked():
            waiting = self._keep(entries)
        if waiting is not None:
            asyncio.run(_awaited(waiting))

    @abstractmethod
    def _keep(self, entries: Sequence[AnyEntry]) -> Awaitable[None] | None:
        """Keep entries, or raise."""

    def _end(self) -> None:  # noqa: B027 - not every sink holds something
        """Let go of what is held; called under the lock."""


async def _awaited(waiting: Awaitable[None]) -> None:
    await waiting


def check_count(name: str, value: object, least: int = 1) -> None:
    """Refuse what is no number of things.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name} must be a whole number of at least {least}, not {value!r}")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be True or False, not {value!r}")


def sinks_of(audit: object) -> tuple[Sink, ...]:
    """Return the sinks that an enclave's option names.

    Raises:
        ConfigError: it is neither a sink nor a sequence of sinks.
    """
    if audit is None:
        return ()
    if isinstance(audit, Sink):
        return (audit,)
    given: tuple[object, ...] | None = None
    with contextlib.suppress(TypeError):
        given = tuple(audit) if not isinstance(audit, str) else None  # type: ignore[arg-type]
    if given is None or not all(isinstance(sink, Sink) for sink in given):
        raise ConfigError(
            f"audit must be a sink, SqliteSink('trail.sqlite') say, or a sequence of sinks; not "
            f"{audit!r}"
        )
    return tuple(sink for sink in given if isinstance(sink, Sink))
