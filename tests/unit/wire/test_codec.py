"""Values as bytes and back: what comes out is what went in."""

from __future__ import annotations

import datetime as dt
import enum
import zoneinfo
from collections import Counter, OrderedDict, defaultdict
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings

from doublevm.wire.codec import MAX_DEPTH, MAX_VALUE_BYTES, decode, encode
from tests.unit.wire.values import VALUES, same

EXTREMES: list[Any] = [
    None, True, False, 0, -1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**300,
    0.0, -0.0, 1e308, 5e-324, float("inf"), float("-inf"), float("nan"),
    "", "text", "naïve", "\N{GRINNING FACE}", "\x00", "\ud800", "a\udfffb", b"", b"\x00\xff",
    [], (), {}, set(), frozenset(), [[]], ((),), {(): []}, {"": {"": ""}}, {frozenset((1,)): {2}},
    {1: "int", "1": "text"}, {None: 0}, {(1, "a"): [b""]}, {"\ud800": 1}, {"é": 1},
    dt.datetime.min, dt.datetime.max,  # noqa: DTZ901 - naive ones cross too
    dt.date.min, dt.date.max, dt.time.min, dt.time.max,
    dt.timedelta.min, dt.timedelta.max, dt.timedelta(microseconds=-1),
    dt.datetime(2024, 10, 27, 2, 30, fold=1),  # noqa: DTZ001
    dt.time(2, 30, fold=1),
    dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.time(1, tzinfo=dt.UTC),
    dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-5, seconds=30))),
    Decimal("0E-10"), Decimal("-0"), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"),
    Decimal("1E+999999"), UUID(int=0), UUID(int=2**128 - 1),
]  # fmt: skip


@settings(max_examples=300)
@given(VALUES)
def test_what_comes_out_is_what_went_in(value: Any) -> None:
    assert same(decode(encode(value)), value)


@pytest.mark.parametrize("value", EXTREMES, ids=repr)
def test_extremes(value: Any) -> None:
    out = decode(encode(value))
    if isinstance(value, Decimal) and value.is_nan():
        assert repr(out) == repr(value)
    else:
        assert same(out, value)


@given(VALUES)
def test_the_same_value_has_the_same_bytes(value: Any) -> None:
    assert encode(value) == encode(value)


def test_order_is_kept() -> None:
    rows = {"b": 1, "a": 2, "ä": 3}
    assert list(decode(encode(rows))) == ["b", "a", "ä"]


def test_a_zone_crosses_as_its_offset_at_that_moment() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    winter = dt.datetime(2024, 1, 1, 12, tzinfo=berlin)
    out = decode(encode(winter))
    assert out == winter
    assert out.tzinfo == dt.timezone(dt.timedelta(hours=1))


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Ratio(float):
    pass


class Point(NamedTuple):
    x: int
    y: list[Any]


class Data(bytes):
    pass


class Rows(list[Any]):
    pass


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Ratio(1.5), 1.5),
        (Data(b"x"), b"x"),
        (Point(1, [2]), (1, [2])),
        (Rows([1]), [1]),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(int, a=1), {"a": 1}),
        (Counter("aab"), {"a": 2, "b": 1}),
        ({Colour.RED: Level.HIGH}, {"red": 3}),
        ([Point(1, [Rows([Level.HIGH])])], [(1, [[3]])]),
    ],
)
def test_subclasses_cross_as_what_they_are_based_on(value: Any, plain: Any) -> None:
    assert same(decode(encode(value)), plain)


def test_a_bool_is_no_int_and_an_int_no_float() -> None:
    for value in (True, 1, 1.0, "1", b"1", Decimal(1)):
        assert type(decode(encode([value]))[0]) is type(value)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_the_deepest_and_the_largest_value_cross() -> None:
    deep = nested(MAX_DEPTH)
    assert decode(encode(deep)) == deep
    large = b"x" * (MAX_VALUE_BYTES - 5)  # a header of five bytes goes before it
    assert decode(encode(large)) == large


def test_uuids_can_be_replaced() -> None:
    uuid = UUID(int=5)
    payload = encode({"id": uuid, "more": ([uuid], {uuid})})
    out = decode(payload, uuid=lambda found: f"<{found.int}>")
    assert out == {"id": "<5>", "more": (["<5>"], {"<5>"})}
