"""DYNAMIC_TOOL: which tool is called is decided when the program runs.

Catches ``call_tool(name)``, ``getattr(users, name)()`` and ``globals()[name]()`` where the text
does not say what ``name`` is. Misses tools in a dict of functions. The parent VM judges the call
all the same, by the name that it has then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doublevm.guard.scoring.rules.hit import at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.scoring.rules.hit import Hit
    from doublevm.score import Features


def find(features: Features) -> Iterator[Hit]:
    """Yield the calls whose tool is not in the text."""
    for call in features.calls:
        if call.dynamic:
            yield at(call, "which tool is called here is decided when the program runs")
