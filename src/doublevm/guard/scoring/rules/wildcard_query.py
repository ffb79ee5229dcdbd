"""WILDCARD_QUERY: everything is asked for.

Catches ``query="*"``, ``filter={}``, ``pattern=".*"`` and ``select * from users`` without a
condition or a limit. Misses conditions that are always true.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from doublevm.barriers.words import words
from doublevm.guard.scoring.rules.hit import arguments, at, called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.scoring.rules.hit import Hit
    from doublevm.score import Argument, Features

WILDCARDS: Final = frozenset(("*", "**", "%", "%%", ".*", ".+", "*.*", "*:*", "**/*"))
"""Texts that match everything."""

FILTERS: Final = frozenset(
    ("filter", "filters", "where", "query", "criteria", "condition", "conditions", "selector")
)
"""Words of arguments that leave something out, unless they are empty."""

_SELECT_ALL: Final = re.compile(r"\s*select\s+\*\s+from\s", re.IGNORECASE)
_NARROWS: Final = frozenset(("where", "limit", "top", "fetch", "having", "join"))


def find(features: Features) -> Iterator[Hit]:
    """Yield the arguments that ask for everything."""
    for call, argument in arguments(features):
        if _matches_everything(argument):
            shown = repr(argument.value)[:80] if argument.kind == "text" else "nothing"
            where = f"{called(call)} is given {argument.name or 'an argument'}={shown}"
            yield at(argument, f"{where}, which asks for everything")


def _matches_everything(argument: Argument) -> bool:
    if argument.kind == "empty":
        return words(argument.name)[-1:] != () and words(argument.name)[-1] in FILTERS
    if argument.kind != "text":
        return False
    text = str(argument.value)
    if text.strip() in WILDCARDS:
        return True
    return _SELECT_ALL.match(text) is not None and _NARROWS.isdisjoint(words(text))
