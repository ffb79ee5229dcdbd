"""A sync host's end of a pair: frames out and in, neither direction ever blocking the other.

The driver's thread uses it; any thread may ``wake`` or ``close`` it. All I/O is done under one lock
and ``close`` takes it too: a thread that was given up on in a handler finds the link closed when it
comes back, and never touches a descriptor that has been given to somebody else since.
"""

from __future__ import annotations

import os
import queue
import select
import threading
from typing import TYPE_CHECKING, Any, Final

from doublevm.errors import VMCrashed
from doublevm.host.conversation import Conversation
from doublevm.host.cores import Place

if TYPE_CHECKING:
    import msgspec

    from doublevm.confinement import Confinement
    from doublevm.host.processes import PairProcess

CHUNK: Final = 64 * 1024


class LinkClosedError(Exception):
    """The link was closed by another thread: the run has been given up."""


class PairLink:
    """Speaks with one pair."""

    def __init__(self, process: PairProcess) -> None:
        """Take over the pair."""
        self.process = process
        self.greeted = False
        """Whether the parent VM has been configured."""
        self.keeps_guest = False
        """Whether a session's guest lives in the pair."""
        self.confinement: Confinement | None = None
        self.serves: object = None
        self.place = Place(process)
        self._conversation = Conversation()
        self._io = threading.Lock()
        self._closed = False
        self._arrivals: queue.SimpleQueue[Any] = queue.SimpleQueue()
        try:
            self._woken_fd, self._wake_fd = os.pipe()
        except OSError:  # too many are open
            process.close(kill=True)
            raise
        self._wake_lock = threading.Lock()
        self._poll = self._other_poll(writing=False)

    @property
    def closed(self) -> bool:
        """Whether the pair is gone."""
        return self._closed

    def send(self, frame: msgspec.Struct) -> None:
        """Send one frame; meanwhile take what the parent VM sends, or both could wait for ever.

        Raises:
            VMCrashed: the parent VM is gone.
            LinkClosedError: the link was closed by another thread.
        """
        with self._io:
            self._check_open()
            data = memoryview(self._conversation.to_send(frame))
            while data:
                try:
                    data = data[os.write(self.process.write_fd, data) :]
                except BlockingIOError:
                    self._wait(writing=True)
                except BrokenPipeError:
                    raise self._crashed() from None

    def next(self) -> Any:
        """Wait for the next frame, or for something another thread gave to ``wake``.

        Raises:
            VMCrashed: the parent VM is gone.
            ProtocolError: the parent VM sent what it may not.
            LinkClosedError: the link was closed by another thread.
        """
        with self._io:
            while True:
                self._check_open()
                frame = self._conversation.take()
                if frame is not None:
                    return frame
                if not self._arrivals.empty():
                    arrival = self._arrivals.get()
                    if isinstance(arrival, BaseException):
                        raise arrival
                    return arrival
                self._wait(writing=False)

    def wake(self, arrival: Any) -> None:
        """Have ``next`` return ``arrival``, or raise it if it is an exception. From any thread."""
        self._arrivals.put(arrival)
        with self._wake_lock:
            if not self._closed:
                os.write(self._wake_fd, b"!")

    def abandon(self) -> None:
        """Kill the pair and close the link."""
        self.close(kill=True)

    def close(self, *, kill: bool) -> None:
        """End the pair; a thread that waits for it is freed with LinkClosedError."""
        if not self.process.ours:  # after a fork: neither the pair nor a lock is this process's
            return
        if kill:
            self.process.kill()
        with self._wake_lock:
            if self._closed:
                return
            self._closed = True
            os.write(self._wake_fd, b"!")
        with self._io:
            self.process.close(kill=kill)
            os.close(self._woken_fd)
            os.close(self._wake_fd)

    def _wait(self, *, writing: bool) -> None:
        # One that waits for what is waited for most is kept: each call of a tool comes by here.
        poll = self._poll if not (writing or self._conversation.full) else self._other_poll(writing)
        with self.place:
            ready = {fd for fd, _ in poll.poll()}
        if self._woken_fd in ready:
            os.read(self._woken_fd, 4096)
        if self.process.read_fd in ready:
            self._read()

    def _other_poll(self, writing: bool) -> select.poll:  # noqa: FBT001 - private
        poll = select.poll()
        if not self._conversation.full:
            poll.register(self.process.read_fd, select.POLLIN)
        poll.register(self._woken_fd, select.POLLIN)
        if writing:
            poll.register(self.process.write_fd, select.POLLOUT)
        return poll

    def _read(self) -> None:
        try:
            data = os.read(self.process.read_fd, CHUNK)
        except BlockingIOError:
            return
        if not data:
            raise self._crashed()
        self._conversation.feed(data)

    def _check_open(self) -> None:
        if self._closed:
            raise LinkClosedError

    def _crashed(self) -> Exception:
        if self._closed:
            return LinkClosedError()
        middle = " in the middle of a frame" if self._conversation.cut_off else ""
        return VMCrashed("parent", f"the parent VM died{middle}: {self.process.exit_status()}")
