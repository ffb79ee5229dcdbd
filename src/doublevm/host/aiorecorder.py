"""Writes entries from an event loop, which goes on meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from doublevm.host.aiolink import in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from doublevm.host.recorder import Recorder
    from doublevm.host.sinks.entries import AnyEntry
    from doublevm.verdict import Deny


async def keep(
    recorder: Recorder,
    entries: Sequence[AnyEntry],
    kept: Callable[[], Sequence[AnyEntry]] | None = None,
) -> Deny | None:
    """Give entries to all sinks; return a denial if one that is required did not take them.

    The sinks are called in a thread, and what an async one gives is awaited in this loop. Whoever
    is cancelled meanwhile is not waited for: the thread goes on, and calls ``kept``.
    """
    wait = _waiting()
    if recorder.blocking:
        denial: Deny | None = await in_thread(lambda: recorder.write(entries, wait, kept))
        return denial
    return recorder.write(entries, _refuse, kept)


async def end(recorder: Recorder, entries: Sequence[AnyEntry]) -> None:
    """Give all sinks what is left to tell at the end of a run, likewise."""
    wait = _waiting()
    if recorder.blocking:
        await in_thread(lambda: recorder.end(entries, wait))
    else:
        recorder.end(entries, _refuse)


def _waiting() -> Callable[[Awaitable[None]], None]:
    loop = asyncio.get_running_loop()

    def wait(waiting: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(_awaited(waiting), loop).result()

    return wait


def _refuse(waiting: Awaitable[None]) -> None:
    raise TypeError(f"a sink that is not blocking returned {type(waiting).__name__}")


async def _awaited(waiting: Awaitable[None]) -> None:
    await waiting
