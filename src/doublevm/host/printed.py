"""What a run has printed, as its host keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doublevm.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.wire.frames import Stream


class Printed:
    """Text by stream, up to a limit.

    The parent VM holds the guest to the limit; here the parent VM is held to it, which may have
    been taken over.
    """

    def __init__(self, most: int, on_output: Callable[[str, str], None] | None) -> None:
        """Keep ``most`` characters, and tell ``on_output`` of each piece."""
        self._most, self._on_output = most, on_output
        self._pieces: dict[Stream, list[str]] = {"stdout": [], "stderr": []}
        self._characters = 0

    def add(self, stream: Stream, text: str) -> None:
        """Keep a piece.

        Raises:
            ProtocolError: it is more than the run may print.
        """
        self._pieces[stream].append(text)
        self._characters += len(text)
        if self._characters > self._most:
            raise ProtocolError("parent", "output", "more output than the run may have")
        if self._on_output is not None:
            self._on_output(stream, text)

    def text(self, stream: Stream) -> str:
        """Return what was printed to a stream."""
        return "".join(self._pieces[stream])
