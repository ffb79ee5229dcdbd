"""Frames in a stream of bytes: four bytes of length, big endian, then the frame."""

from __future__ import annotations

from typing import Final

from doublevm.wire.codec import MAX_VALUE_BYTES
from doublevm.wire.frames import FrameError

MAX_FRAME_BYTES: Final = 2 * MAX_VALUE_BYTES + 64 * 1024
"""Largest frame accepted, checked before anything is decoded: two values and what is around."""

HEADER_BYTES: Final = 4


def pack(data: bytes) -> bytes:
    """Return ``data`` with its length before it.

    Raises:
        FrameError: it is larger than a frame may be.
    """
    if len(data) > MAX_FRAME_BYTES:
        raise FrameError("bytes", f"a frame of {len(data):,} bytes; {MAX_FRAME_BYTES:,} at most")
    return len(data).to_bytes(HEADER_BYTES, "big") + data


class FrameBuffer:
    """Takes bytes as they come and gives whole frames."""

    def __init__(self) -> None:
        """Start empty."""
        self._bytes = bytearray()

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._bytes += data

    def __len__(self) -> int:
        """Return how many bytes have arrived that no frame was made of yet."""
        return len(self._bytes)

    def take(self) -> bytes | None:
        """Return the next whole frame, or None until more bytes have come.

        Raises:
            FrameError: the length announced is 0 or more than a frame may have.
        """
        if len(self._bytes) < HEADER_BYTES:
            return None
        size = int.from_bytes(self._bytes[:HEADER_BYTES], "big")
        if not 0 < size <= MAX_FRAME_BYTES:
            raise FrameError("bytes", f"a frame announced {size:,} bytes; 1 to {MAX_FRAME_BYTES:,}")
        end = HEADER_BYTES + size
        if len(self._bytes) < end:
            return None
        frame = bytes(self._bytes[HEADER_BYTES:end])
        del self._bytes[:end]
        return frame
