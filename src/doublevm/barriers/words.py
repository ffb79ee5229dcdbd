"""The words of a name: ``bulkGet``, ``bulk_get`` and ``bulk:get`` are bulk, get.

Patterns compare words, never substrings: ``target`` is not get, ``install`` is not all.
"""

from __future__ import annotations

import functools
import re
from typing import Final

# At every separator; before a capital that follows a small letter or digit; before the last capital
# of a run of them ("HTTPGet"); and between letters and digits.
_BORDER: Final = re.compile(
    r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|"
    r"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])"
)


LONGEST_KEPT: Final = 128
"""Characters of the longest name that is kept in a cache."""


def words(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case, in order."""
    # A guest chooses the keys of dicts: long ones must not stay in the cache.
    return _kept(name) if len(name) <= LONGEST_KEPT else _split(name)


def _split(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _BORDER.split(name) if word)


_kept = functools.lru_cache(maxsize=4096)(_split)
