"""``sys.stdout`` and ``sys.stderr`` of a guest: text goes to the parent line by line."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from doublevm.wire.inner_frames import Print

if TYPE_CHECKING:
    from doublevm.inner.pipe import ParentPipe
    from doublevm.wire.frames import Stream

CHUNK = 32 * 1024
"""Characters sent at most in one frame, so that the limit on output stops a flood early."""


class GuestOutput(io.TextIOBase):
    """A text stream that sends whole lines, and the rest when flushed."""

    encoding = "utf-8"

    def __init__(self, pipe: ParentPipe, stream: Stream) -> None:
        """Send to ``pipe`` as ``stream``."""
        super().__init__()
        self._pipe, self._stream = pipe, stream
        self._pending = ""

    def writable(self) -> bool:
        """Say that it can be written to, as print's callers may ask."""
        return True

    def write(self, text: str) -> int:
        """Take text; send what ends a line."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._pending += text
        if "\n" in text or len(self._pending) > CHUNK:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Send what has not been sent."""
        pending, self._pending = self._pending, ""
        for start in range(0, len(pending), CHUNK):
            # Lone surrogates cannot be sent as text; Python's own stdout would fail on them.
            part = pending[start : start + CHUNK].encode("utf-8", "backslashreplace").decode()
            self._pipe.send(Print(self._stream, part))
