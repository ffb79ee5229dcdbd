"""What a rule gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.score import Argument, Features, FieldRead, ToolCall


class Hit(NamedTuple):
    """One place where a rule has found something."""

    line: int
    column: int
    message: str
    """What was found, in one line."""


def at(thing: Argument | FieldRead | ToolCall, message: str) -> Hit:
    """Return a hit at the place of something."""
    return Hit(thing.line, thing.column, message)


def arguments(features: Features) -> Iterator[tuple[ToolCall, Argument]]:
    """Yield every value that is given to a tool."""
    for call in features.calls:
        for argument in call.arguments:
            yield call, argument


def called(call: ToolCall) -> str:
    """Return a tool's name for a message."""
    return call.tool or "a tool"
