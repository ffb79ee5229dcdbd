"""Every kind of value that crosses, as examples and as a Hypothesis strategy."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

UTC: Final = dt.UTC
EAST: Final = dt.timezone(dt.timedelta(hours=5, minutes=30))

EXAMPLES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    -(2**63),
    2**64,
    -(2**63) - 1,
    10**5000,
    0.0,
    -0.0,
    1.5,
    math.inf,
    math.nan,
    "",
    "text",
    "Zoë \U0001f600",
    "lone \ud800",
    "nul \x00",
    b"",
    b"\x00\xff",
    [],
    [1, "a", None],
    (),
    (1, (2, (3,))),
    {},
    {"a": 1, "b": [2]},
    {1: "a", None: "b", (1, 2): "c"},
    {"é": 1},
    {"\ud800": 1},
    set(),
    {"a", "b", "c", "d", "e"},
    {1, 1.5, None, "a", (1,)},
    frozenset({"x", "y"}),
    {frozenset({"x", "y", "z"}): {1, 2}},
    dt.date(2024, 2, 29),
    dt.datetime(2024, 1, 31, 12, 30, 15, 123456),  # noqa: DTZ001 - naive ones cross, too
    dt.datetime(2024, 1, 31, 12, tzinfo=UTC),
    dt.datetime(2024, 10, 27, 2, 30, tzinfo=EAST, fold=1),
    dt.time(23, 59, 59, 999999),
    dt.time(1, tzinfo=EAST, fold=1),
    dt.timedelta(days=-1, microseconds=7),
    dt.timedelta.max,
    Decimal("1.10"),
    Decimal("-0"),
    Decimal("NaN"),
    Decimal("1E+1000"),
    uuid.UUID(int=2**100 + 7),
)

_zones: Final = st.sampled_from((None, UTC, EAST, dt.timezone(dt.timedelta(seconds=-12345))))
_hashable: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(st.characters(codec=None), max_size=20),
    st.binary(max_size=20),
    st.dates(),
    st.datetimes(timezones=_zones),
    st.times(timezones=_zones),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
)


def values(leaves: int = 20) -> st.SearchStrategy[Any]:
    """Values of every type, NaN left out so that they equal themselves."""
    keys = st.one_of(_hashable, st.tuples(_hashable), st.frozensets(_hashable, max_size=3))
    return st.recursive(
        st.one_of(_hashable, keys),
        lambda inner: st.one_of(
            st.lists(inner, max_size=5),
            st.lists(inner, max_size=5).map(tuple),
            st.dictionaries(st.text(max_size=5), inner, max_size=5),
            st.dictionaries(keys, inner, max_size=5),
            st.sets(keys, max_size=5),
            st.frozensets(keys, max_size=5),
        ),
        max_leaves=leaves,
    )


def same(one: Any, other: Any) -> bool:
    """Equal, of the same types all the way down, in the same order where there is one."""
    if type(one) is not type(other):
        return False
    match one:
        case list() | tuple():
            return len(one) == len(other) and all(map(same, one, other))
        case dict():
            return same(list(one.items()), list(other.items()))
        case set() | frozenset():
            return one == other and all(any(same(a, b) for b in other) for a in one)
        case float():
            return repr(one) == repr(other)
        case Decimal():
            return bool(one.as_tuple() == other.as_tuple())
        case dt.datetime() | dt.time():
            zones = (one.utcoffset(), one.fold) == (other.utcoffset(), other.fold)
            return bool(one == other) and zones
    return bool(one == other)
