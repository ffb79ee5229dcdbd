"""Threads for handlers: reused, and never waited for, because a handler may never return."""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

IDLE_SECONDS: Final = 5.0
"""How long a thread waits for more work before it ends."""

_Work = tuple["contextvars.Context", "Callable[[], object]"]


class ThreadShelf:
    """Daemon threads that take one piece of work after another.

    ``concurrent.futures`` is not used: it waits at exit for threads that may never end.
    """

    def __init__(self) -> None:
        """Start with no threads."""
        self._idle: list[queue.SimpleQueue[_Work]] = []
        self._lock = threading.Lock()

    def run(self, work: Callable[[], object]) -> None:
        """Run ``work`` in some thread, with the caller's context variables."""
        item = (contextvars.copy_context(), work)
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = queue.SimpleQueue()
            threading.Thread(
                target=self._serve, args=(inbox,), name="doublevm", daemon=True
            ).start()
        inbox.put(item)

    def _serve(self, inbox: queue.SimpleQueue[_Work]) -> None:
        while True:
            try:
                context, work = inbox.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                if self._retire(inbox):
                    return
                continue
            context.run(work)
            del context, work
            with self._lock:
                self._idle.append(inbox)

    def _retire(self, inbox: queue.SimpleQueue[_Work]) -> bool:
        with self._lock:
            if inbox not in self._idle:  # work is on its way
                return False
            self._idle.remove(inbox)
            return True


class LoopThread:
    """An event loop in a thread of its own, for async handlers of a sync enclave."""

    def __init__(self) -> None:
        """Start the loop."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="doublevm-loop", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def submit(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run a coroutine; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Cancel what runs and end the loop."""

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        def stop(_: Any) -> None:
            self._loop.call_soon_threadsafe(self._loop.stop)

        self.submit(end()).add_done_callback(stop)


class HandlerLoop:
    """The loop for async handlers of a sync enclave or pool; started with the first of them."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._loop: LoopThread | None = None
        self._lock = threading.Lock()

    def submit(self, awaitable: Any) -> Future[tuple[Any, BaseException | None]]:
        """Run what an async handler gave; the future gives its value, or what it raised."""
        with self._lock:  # two handlers may be the first ones together
            self._loop = loop = self._loop or LoopThread()

        async def result() -> tuple[Any, BaseException | None]:
            try:
                return await awaitable, None
            except asyncio.CancelledError:
                raise
            # The border of the loop, which a SystemExit would end: raised again where it is asked.
            except BaseException as error:  # noqa: BLE001
                return None, error

        return loop.submit(result())

    def close(self) -> None:
        """Cancel what runs and end the loop."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.close()


threads: Final = ThreadShelf()
"""Of this process."""

if hasattr(os, "register_at_fork"):
    # A forked child has none of the threads that the shelf knows.
    os.register_at_fork(after_in_child=threads.__init__)  # type: ignore[misc]
