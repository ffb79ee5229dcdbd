"""Tracebacks as the guest's author sees them: guest frames only, the same on every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

FILENAME: Final = "<program>"
"""The name of every guest program in its tracebacks."""

MAX_FRAMES: Final = 30
"""Frames shown; deep recursion is cut in the middle."""

MAX_LINE: Final = 200


class GuestFrame(NamedTuple):
    """One frame of a guest's traceback."""

    line: int
    function: str
    source: str


def render(frames: Sequence[GuestFrame], message: str) -> str:
    """Return the traceback as Python would print it, cut in the middle if it is long."""
    lines = ["Traceback (most recent call last):"]
    half = MAX_FRAMES // 2
    for index, frame in enumerate(frames):
        if len(frames) > MAX_FRAMES and half <= index < len(frames) - half:
            if index == half:
                lines.append(f"  … {len(frames) - MAX_FRAMES} frames more …")
            continue
        lines.append(f'  File "{FILENAME}", line {frame.line}, in {frame.function}')
        if frame.source:
            lines.append(f"    {frame.source.strip()[:MAX_LINE]}")
    lines.append(message)
    return "\n".join(lines)
