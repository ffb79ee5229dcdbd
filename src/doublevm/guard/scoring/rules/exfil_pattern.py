"""EXFIL_PATTERN: what one tool has read, another sends.

Catches ``mail.send(text=users.list())``, however many names, containers, functions and loops lie
between the two, as long as the text shows the way. A read and a message that has nothing of it are
no signal. Misses ways that the text does not show (see ``features``), and tools whose names do not
say what they do. Alarms at a report that is to be sent: that is for the host to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doublevm.barriers.sequence import ACCESS, EXTERNAL, SEND
from doublevm.barriers.words import words
from doublevm.guard.scoring.rules.hit import at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.scoring.rules.hit import Hit
    from doublevm.score import Features, ToolCall


def find(features: Features) -> Iterator[Hit]:
    """Yield the calls that send what others have read."""
    for call in features.calls:
        if not _sends(call.tool):
            continue
        source = next((each for each in _sources(features, call) if _reads(each.tool)), None)
        if source is not None:
            read = f"what {source.tool} has read (line {source.line})"
            yield at(call, f"{read} flows into {call.tool}")


def _sources(features: Features, call: ToolCall) -> Iterator[ToolCall]:
    return (features.calls[number] for number in call.sources if number < len(features.calls))


def _reads(tool: str) -> bool:
    return not ACCESS.isdisjoint(words(tool))


def _sends(tool: str) -> bool:
    """Whether a tool lets data out; ``http:fetch`` reads, although it reaches out."""
    parts = words(tool)
    if not SEND.isdisjoint(parts):
        return True
    return not EXTERNAL.isdisjoint(parts) and ACCESS.isdisjoint(parts)
