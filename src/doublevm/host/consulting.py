"""Asks a scorer of the host's own, in time: one that does not answer is not waited for."""

from __future__ import annotations

import asyncio
import queue
from typing import TYPE_CHECKING, Any

from doublevm.host.aiolink import in_thread
from doublevm.host.scoring import Unanswered, failed, too_slow
from doublevm.host.threads import threads

if TYPE_CHECKING:
    from collections.abc import Callable


def consult(ask: Callable[[], Any], seconds: float, await_: Callable[[Any], Any]) -> Any:
    """Return the answer, or an Unanswered.

    Args:
        ask: asks; an awaitable that it gives is awaited.
        seconds: how long an answer is waited for.
        await_: waits for an awaitable.
    """
    box: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def work() -> None:
        try:
            answer = ask()
            box.put(await_(answer) if hasattr(answer, "__await__") else answer)
        # The border to the host's scorer, and of the thread: whatever it raises is no answer.
        except BaseException as error:  # noqa: BLE001
            box.put(_no_answer(error))

    threads.run(work)
    try:
        return box.get(timeout=seconds)
    except queue.Empty:
        return too_slow(seconds)


async def aconsult(ask: Callable[[], Any], seconds: float) -> Any:
    """Return the answer, or an Unanswered; the loop is free meanwhile."""
    clock = asyncio.timeout(seconds)
    try:
        async with clock:
            answer = await in_thread(ask)
            return await answer if hasattr(answer, "__await__") else answer
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return failed(error)  # the scorer's own doing: nobody has cancelled this run
    except KeyboardInterrupt:
        raise
    # The border to the host's scorer: whatever else it raises is no answer.
    except BaseException as error:  # noqa: BLE001
        return too_slow(seconds) if clock.expired() else _no_answer(error)


def _no_answer(error: BaseException) -> Unanswered:
    if isinstance(error, Unanswered):
        return error
    return failed(error)
