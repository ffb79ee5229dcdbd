"""An async host's end of a pair: the event loop watches the pipes, nothing blocks it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from doublevm.errors import VMCrashed
from doublevm.host.conversation import Conversation
from doublevm.host.core import closed_under_way
from doublevm.host.cores import Place
from doublevm.host.threads import threads

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from doublevm.confinement import Confinement
    from doublevm.host.processes import PairProcess

CHUNK: Final = 64 * 1024


class AsyncPairLink:
    """Speaks with one pair, in one event loop."""

    def __init__(self, process: PairProcess) -> None:
        """Take over the pair and begin to listen."""
        self.process = process
        self.loop = asyncio.get_running_loop()
        self.greeted = False
        """Whether the parent VM has been configured."""
        self.keeps_guest = False
        """Whether a session's guest lives in the pair."""
        self.confinement: Confinement | None = None
        self.serves: object = None
        self.place = Place(process)
        self._conversation = Conversation()
        self._arrivals: deque[Any] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._closed = self._paused = False
        self._listening = True
        self.loop.add_reader(process.read_fd, self._on_readable)

    async def send(self, frame: msgspec.Struct) -> None:
        """Send one frame.

        Raises:
            VMCrashed: the parent VM is gone.
            VMError: the link was closed.
        """
        data = memoryview(self._conversation.to_send(frame))
        while data:
            if not self._listening:
                raise closed_under_way()
            try:
                data = data[os.write(self.process.write_fd, data) :]
            except BlockingIOError:
                await self._writable()
            except BrokenPipeError:
                raise self._crashed() from None

    async def next(self) -> Any:
        """Wait for the next frame, or for something given to ``wake``.

        Raises:
            VMCrashed: the parent VM is gone.
            ProtocolError: the parent VM sent what it may not.
        """
        while True:
            # Not decoded before it is wanted: the grammar follows what the run has been told.
            arrival = self._conversation.take()
            if arrival is None and self._arrivals:
                arrival = self._arrivals.popleft()
            self._resume_reading()
            if isinstance(arrival, BaseException):
                raise arrival
            if arrival is not None:
                return arrival
            self._waiter = self.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def wake(self, arrival: Any) -> None:
        """Have ``next`` return ``arrival``, or raise it if it is an exception."""
        self._arrivals.append(arrival)
        self._look_again()

    def abandon(self) -> None:
        """Kill the pair and close the link."""
        self.close(kill=True)

    def close(self, *, kill: bool) -> None:
        """Stop listening and end the pair. Blocks for as long as the pair takes to end."""
        if not self._closed and self.process.ours:
            self._closed = True
            self.stop_listening()
            self.process.close(kill=kill)

    def stop_listening(self) -> None:
        """Take the pipes out of the event loop, in its own thread, ahead of a close in another."""
        if self._listening and not self.loop.is_closed():
            self._listening = False
            self.loop.remove_reader(self.process.read_fd)
            self.loop.remove_writer(self.process.write_fd)

    def _on_readable(self) -> None:
        try:
            data = os.read(self.process.read_fd, CHUNK)
        except BlockingIOError:
            return
        if not data:
            self.loop.remove_reader(self.process.read_fd)
            self.wake(self._crashed())
            return
        self._conversation.feed(data)
        if self._conversation.full:
            self.loop.remove_reader(self.process.read_fd)
            self._paused = True
        self._look_again()

    def _look_again(self) -> None:
        if self._waiter is not None:
            _settle(self._waiter)

    def _resume_reading(self) -> None:
        if self._paused and self._listening and not self._conversation.full:
            self._paused = False
            self.loop.add_reader(self.process.read_fd, self._on_readable)

    async def _writable(self) -> None:
        ready = self.loop.create_future()
        fd = self.process.write_fd
        self.loop.add_writer(fd, _settle, ready)
        try:
            await ready
        finally:
            self.loop.remove_writer(fd)

    def _crashed(self) -> VMCrashed:
        middle = " in the middle of a frame" if self._conversation.cut_off else ""
        return VMCrashed("parent", f"the parent VM died{middle}: {self.process.exit_status()}")


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def start_pair(make: Callable[[], PairProcess]) -> PairProcess:
    """Start a pair in a thread; one that nobody waits for any more is ended there."""
    lock = threading.Lock()
    wanted, made = True, None

    def start() -> PairProcess:
        nonlocal made
        process = make()
        with lock:
            made = process
            keep = wanted
        if not keep:
            process.close(kill=True)
        return process

    try:
        process: PairProcess = await in_thread(start)
    except BaseException:
        with lock:
            wanted = False
        if made is not None:
            made.close(kill=True)
        raise
    return process


async def in_thread(function: Callable[[], Any]) -> Any:
    """Run ``function`` in a thread that nobody waits for, and return what it returns.

    ``asyncio.to_thread`` is not used: its threads are waited for at exit, and a handler may never
    return.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if isinstance(error, StopIteration):  # which no future takes; a coroutine says the same
            error = RuntimeError("the function raised StopIteration")
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    def work() -> None:
        result, error = None, None
        try:
            result = function()
        # The border of the thread: raised again where the future is awaited.
        except BaseException as raised:  # noqa: BLE001
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop was closed meanwhile: nobody waits
            return

    threads.run(work)
    return await future
