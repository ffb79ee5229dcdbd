"""BULK_OPERATION: one call for very many things.

Catches tools named ``bulk``, ``batch``, ``mass``, ``dump`` or ``all`` (``get_all_users``), and
flags that lift a limit (``fetch_all=True``). Words count, not substrings: ``call`` and ``install``
are not all. Misses many calls for one thing each, which LOOP_TOOL_CALL is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doublevm.barriers.bulk import is_no_limit_flag
from doublevm.barriers.sequence import BULK
from doublevm.barriers.words import words
from doublevm.guard.scoring.rules.hit import arguments, at, called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.scoring.rules.hit import Hit
    from doublevm.score import Features


def find(features: Features) -> Iterator[Hit]:
    """Yield the calls that are for very many things."""
    for call in features.calls:
        parts = words(call.tool)
        if "all" in parts or not BULK.isdisjoint(parts):
            yield at(call, f"{call.tool} works on many things at once")
    for call, argument in arguments(features):
        if argument.value is True and is_no_limit_flag(argument.name):
            yield at(argument, f"{called(call)} is given {argument.name}=True, which lifts a limit")
