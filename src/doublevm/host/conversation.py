"""The host's part of the protocol: bytes in, frames out, in the order the grammar allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from doublevm.errors import ProtocolError
from doublevm.wire.frames import FrameError, decode_parent_frame, encode_frame
from doublevm.wire.framing import MAX_FRAME_BYTES, FrameBuffer, pack
from doublevm.wire.grammar import host_side

if TYPE_CHECKING:
    import msgspec

MAX_WAITING_BYTES: Final = 16 * MAX_FRAME_BYTES
"""Most that is read ahead of being looked at, so that no parent VM can fill the host's memory."""


class Conversation:
    """What has been said with one parent VM. Does no I/O."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._buffer = FrameBuffer()
        self._grammar = host_side()

    def to_send(self, frame: msgspec.Struct) -> bytes:
        """Return the bytes of a frame that is sent now."""
        self._grammar.step(frame)
        return pack(encode_frame(frame))

    def feed(self, data: bytes) -> None:
        """Take bytes the parent VM has sent."""
        self._buffer.feed(data)

    def take(self) -> Any:
        """Return the next frame, or None until more bytes have come.

        Raises:
            ProtocolError: what came is not a frame, or may not come now.
        """
        try:
            data = self._buffer.take()
            if data is None:
                return None
            frame = decode_parent_frame(data)
            self._grammar.step(frame)
        except FrameError as error:
            raise ProtocolError("parent", error.frame, f"the parent VM: {error}") from None
        return frame

    @property
    def cut_off(self) -> bool:
        """Whether the parent VM stopped in the middle of a frame."""
        return len(self._buffer) > 0

    @property
    def full(self) -> bool:
        """Whether so much has arrived that no more should be read for now."""
        return len(self._buffer) >= MAX_WAITING_BYTES
