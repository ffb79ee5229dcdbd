"""The inner VM's end of its two pipes to the parent VM: blocking, one frame at a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from doublevm.wire.frames import encode_frame
from doublevm.wire.framing import FrameBuffer, pack
from doublevm.wire.inner_frames import decode_to_inner

if TYPE_CHECKING:
    import msgspec


class ParentGoneError(SystemExit):
    """The parent VM hung up: nothing is left to run for."""


class ParentPipe:
    """Speaks with the parent VM."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        """Take the two descriptors."""
        self._read_fd, self._write_fd = read_fd, write_fd
        self._buffer = FrameBuffer()

    def send(self, frame: msgspec.Struct) -> None:
        """Send one frame."""
        data = memoryview(pack(encode_frame(frame)))
        while data:
            data = data[os.write(self._write_fd, data) :]

    def receive(self) -> Any:
        """Wait for the next frame.

        Raises:
            ParentGoneError: the parent hung up.
        """
        while (data := self._buffer.take()) is None:
            chunk = os.read(self._read_fd, 65536)
            if not chunk:
                raise ParentGoneError
            self._buffer.feed(chunk)
        return decode_to_inner(data)

    def ask(self, frame: msgspec.Struct) -> Any:
        """Send a frame and wait for its answer."""
        self.send(frame)
        return self.receive()
