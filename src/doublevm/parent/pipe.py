"""The parent VM's end of its two pipes to the host."""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING, Any

from doublevm.wire.frames import Raised, Refused, Returned, decode_host_frame, encode_frame
from doublevm.wire.framing import FrameBuffer, pack
from doublevm.wire.grammar import parent_side

if TYPE_CHECKING:
    import msgspec

CHUNK = 65536


class HostGoneError(Exception):
    """The host hung up: there is nobody to work for."""


class HostPipe:
    """Speaks with the host, frame by frame, and keeps to the grammar."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        """Take the two descriptors."""
        self.read_fd, self._write_fd = read_fd, write_fd
        self._buffer = FrameBuffer()
        self._grammar = parent_side()

    def send(self, frame: msgspec.Struct) -> None:
        """Send one frame.

        Raises:
            HostGoneError: the host hung up.
        """
        data = memoryview(pack(encode_frame(frame)))
        try:
            while data:
                data = data[os.write(self._write_fd, data) :]
        except BrokenPipeError:
            raise HostGoneError from None

    def ask(self, frame: msgspec.Struct) -> Any:
        """Send a frame that the host has to answer; return the answer."""
        self._grammar.step(frame)
        self.send(frame)
        while isinstance(answer := self.receive(), Returned | Raised | Refused):
            pass  # late, to a run that was stopped
        return answer

    def end(self, frame: msgspec.Struct) -> None:
        """Send the frame that ends a run."""
        self._grammar.step(frame)
        self.send(frame)

    def receive(self, until: float | None = None, others: tuple[int, ...] = ()) -> Any:
        """Wait for the next frame.

        Return None if none has come by ``until`` (monotonic), or before one of the ``others`` was
        readable.

        Raises:
            HostGoneError: the host hung up.
            FrameError: what came is not a frame, or may not come now.
        """
        while (data := self._buffer.take()) is None:
            if until is not None and not self._readable(until - time.monotonic(), others):
                return None
            chunk = os.read(self.read_fd, CHUNK)
            if not chunk:
                raise HostGoneError
            self._buffer.feed(chunk)
        frame = decode_host_frame(data)
        self._grammar.step(frame)
        return frame

    def _readable(self, seconds: float, others: tuple[int, ...]) -> bool:
        fds = [self.read_fd, *others]
        return self.read_fd in select.select(fds, [], [], max(0.0, seconds))[0]
