"""LOOP_TOOL_CALL: a tool is called again and again.

Catches calls in ``for`` and ``while``, in comprehensions, in functions that are called in one, and
tools that are passed to ``map``. Misses recursion. Alarms at every loop, over three teams or over
three million users: how often it runs is not in the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doublevm.guard.scoring.rules.hit import at, called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.scoring.rules.hit import Hit
    from doublevm.score import Features


def find(features: Features) -> Iterator[Hit]:
    """Yield the calls in loops."""
    for call in features.calls:
        if call.looped:
            yield at(call, f"{called(call)} is called in a loop")
