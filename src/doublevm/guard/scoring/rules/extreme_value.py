"""EXTREME_VALUE: a number of more than a million.

Catches ``offset=50_000_000``, ``amount=-2e9``, also where the number is computed from others in the
text. Numbers that are large by nature are none: identifiers, times, phone numbers, sizes in bytes;
they are known by the words of their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from doublevm.barriers.words import words
from doublevm.guard.scoring.rules.hit import arguments, at, called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.scoring.rules.hit import Hit
    from doublevm.score import Features

MOST: Final = 1_000_000
"""Beyond, a number is extreme: the number of the scoring gate's specification."""

LARGE_BY_NATURE: Final = frozenset(
    ("id", "ids", "uid", "phone", "mobile", "fax", "zip", "barcode", "isbn", "ean", "sku", "seed",
     "hash", "checksum", "timestamp", "timestamps", "ts", "time", "date", "epoch", "since", "until",
     "after", "before", "ms", "ns", "us", "millis", "bytes", "size", "population")
)  # fmt: skip
"""Words of arguments that may be as large as they like."""


def find(features: Features) -> Iterator[Hit]:
    """Yield the numbers that are extreme."""
    for call, argument in arguments(features):
        value = argument.value
        if argument.kind != "number" or not isinstance(value, int | float) or abs(value) <= MOST:
            continue
        if LARGE_BY_NATURE.isdisjoint(words(argument.name)):
            what = f"{argument.name or 'an argument'}={value:g}"
            yield at(argument, f"{called(call)} is given {what}, an extreme number")
