"""Hypothesis strategies for the values that cross."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from hypothesis import strategies as st

# Whole seconds: Python itself reads the text of an offset of less than one second back as UTC.
OFFSETS = st.integers(-86_399, 86_399).map(lambda seconds: dt.timedelta(seconds=seconds))
ZONES = st.none() | OFFSETS.map(dt.timezone)

TEXT = st.text() | st.text(st.characters(codec=None, categories=["Cs", "L", "N"]), max_size=8)
"""Any text, lone surrogates included."""

INTEGERS = st.integers() | st.integers(-(2**200), 2**200) | st.sampled_from(
    [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64]
)  # fmt: skip

HASHABLE_SCALARS = (
    st.none()
    | st.booleans()
    | INTEGERS
    | st.floats(allow_nan=False)
    | TEXT
    | st.binary(max_size=40)
    | st.datetimes(timezones=ZONES)
    | st.dates()
    | st.times(timezones=ZONES)
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
)

HASHABLE = st.recursive(
    HASHABLE_SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3)
    ),
    max_leaves=6,
)  # fmt: skip

VALUES: st.SearchStrategy[Any] = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
    ),
    max_leaves=20,
)
"""Everything that can cross, nested."""


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal in type, content and order, at any depth."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return (math.isnan(left) and math.isnan(right)) or (
            left == right and math.copysign(1, left) == math.copysign(1, right)
        )
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return len(left) == len(right) and all(
            same(a, b) and same(left[a], right[b]) for a, b in zip(left, right, strict=True)
        )
    if isinstance(left, set | frozenset):
        return len(left) == len(right) and all(any(same(a, b) for b in right) for a in left)
    if isinstance(left, dt.datetime | dt.time):
        same_zone = left.utcoffset() == right.utcoffset()
        return bool(left == right) and same_zone and left.fold == right.fold
    return bool(left == right) and repr(left) == repr(right)
