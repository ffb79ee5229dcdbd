"""EXCESSIVE_LIMIT: a limit so high that it is none.

Catches ``limit=50_000``, ``page_size=-1``, ``limit=float("inf")``, ``top="all"``, also where the
number is computed from others in the text. Misses limits that are known when the program runs, and
limits under other names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from doublevm.barriers.bulk import NO_LIMIT_VALUES, is_limit
from doublevm.guard.scoring.rules.hit import arguments, at, called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.scoring.rules.hit import Hit
    from doublevm.score import Argument, Features

MOST: Final = 10_000
"""A limit above is excessive: the number of the scoring gate's specification. The barrier against
bulk operations objects from 1,000 on: it sees one call, and this the intention."""


def find(features: Features) -> Iterator[Hit]:
    """Yield the limits that are too high."""
    for call, argument in arguments(features):
        if is_limit(argument.name) and _is_excessive(argument):
            shown = str(argument.value)[:40]
            yield at(argument, f"{called(call)} is given {argument.name}={shown}; ask for less")


def _is_excessive(argument: Argument) -> bool:
    value = argument.value
    if argument.kind == "text":
        text = str(value).strip().lower().replace(",", "").replace("_", "")
        digits = text.lstrip("+0")
        return text == "-1" or text in NO_LIMIT_VALUES or (digits.isdecimal() and _is_much(digits))
    if argument.kind != "number" or not isinstance(value, int | float):
        return False
    return value > MOST or value == -1


def _is_much(digits: str) -> bool:
    return int(digits[:20]) > MOST
