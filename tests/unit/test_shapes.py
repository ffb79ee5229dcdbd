"""Shapes: which values fit, and what is said of those that do not."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doublevm import shapes as s
from doublevm.shapes import brief, check, describe
from tests.unit.wire.values import VALUES

SAMPLES: dict[s.ScalarName, Any] = {
    "None": None, "bool": True, "int": 5, "float": 0.5, "str": "text", "bytes": b"bytes",
    "datetime": dt.datetime(2024, 1, 2, tzinfo=dt.UTC), "date": dt.date(2024, 1, 2),
    "time": dt.time(3, 4), "timedelta": dt.timedelta(1), "Decimal": Decimal("1.5"),
    "UUID": UUID(int=1),
}  # fmt: skip
HUGE = 10**5000
"""An int that has no repr."""

TEXT, INT = s.Scalar("str"), s.Scalar("int")
ROW = s.Record("Row", {"id": INT, "tags": s.Sequence("list", TEXT)}, ("id",))


@pytest.mark.parametrize("shape", s.SCALAR_NAMES)
@pytest.mark.parametrize("value", SAMPLES)
def test_scalars_take_their_own_type_alone(shape: s.ScalarName, value: s.ScalarName) -> None:
    problem = check(SAMPLES[value], s.Scalar(shape), "it")
    if shape == value or (shape, value) == ("float", "int"):
        assert problem is None
    else:
        assert problem == f"it must be {shape}, not {type(SAMPLES[value]).__name__}"


FITTING: list[tuple[s.Shape, Any]] = [
    (s.AnyShape(), object()),
    (s.Sequence("list", INT), []), (s.Sequence("list", INT), [1, 2]),
    (s.Sequence("tuple", INT), (1,)), (s.Sequence("tuple", INT), [1]),
    (s.Sequence("set", INT), {1}), (s.Sequence("set", INT), frozenset({1})),
    (s.Sequence("set", INT), [1, 1]), (s.Sequence("list", s.AnyShape()), [1, "x", None]),
    (s.Sequence("list", s.Sequence("list", INT)), [[1], []]),
    (s.Tuple((INT, TEXT)), (1, "x")), (s.Tuple((INT, TEXT)), [1, "x"]), (s.Tuple(()), ()),
    (s.Mapping(TEXT, INT), {}), (s.Mapping(TEXT, INT), {"a": 1}), (s.Mapping(INT, TEXT), {1: "a"}),
    (ROW, {"id": 1}), (ROW, {"id": 1, "tags": ["x"]}),
    (s.Choice(("a", 1, None)), "a"), (s.Choice(("a", 1, None)), 1), (s.Choice((True,)), True),
    (s.Union((INT, TEXT)), 1), (s.Union((INT, TEXT)), "x"),
    (s.Union((s.Sequence("list", INT), s.Mapping(TEXT, INT))), {"a": 1}),
]  # fmt: skip

NOT_FITTING: list[tuple[s.Shape, Any, str]] = [
    (s.Sequence("list", INT), (1,), "it must be list[int], not tuple"),
    (s.Sequence("list", INT), "ab", "it must be list[int], not str"),
    (s.Sequence("list", INT), {1: 2}, "it must be list[int], not dict"),
    (s.Sequence("list", INT), [1, True], "it[1] must be int, not bool"),
    (s.Sequence("list", s.AnyShape()), None, "it must be list, not NoneType"),
    (s.Sequence("tuple", INT), {1}, "it must be tuple[int], not set"),
    (s.Sequence("set", INT), (1,), "it must be set[int], not tuple"),
    (s.Sequence("list", s.Sequence("list", INT)), [[1], [2, "x"]], "it[1][1] must be int, not str"),
    (s.Tuple((INT, TEXT)), (1,), "it must have 2 items, not 1"),
    (s.Tuple((INT, TEXT)), (1, "x", 2), "it must have 2 items, not 3"),
    (s.Tuple((INT, TEXT)), ("x", 1), "it[0] must be int, not str"),
    (s.Tuple((INT, TEXT)), 5, "it must be tuple[int, str], not int"),
    (s.Mapping(TEXT, INT), {"a": "b"}, "it['a'] must be int, not str"),
    (s.Mapping(TEXT, INT), {1: 1}, "key 1 of it must be str, not int"),
    (s.Mapping(TEXT, INT), [("a", 1)], "it must be dict[str, int], not list"),
    (s.Mapping(TEXT, INT), {HUGE: 1}, "key <int> of it must be str, not int"),
    (s.Mapping(INT, INT), {HUGE: "x"}, "it[<int>] must be int, not str"),
    (ROW, {}, "it lacks 'id'; it must be Row (a dict with id, tags)"),
    (ROW, {"id": 1, "x": 2}, "it has no 'x'; it must be Row (a dict with id, tags)"),
    (ROW, {"id": 1, 5: 2}, "it has no 5; it must be Row (a dict with id, tags)"),
    (ROW, {"id": "1"}, "it['id'] must be int, not str"),
    (ROW, {"id": 1, "tags": [1]}, "it['tags'][0] must be str, not int"),
    (ROW, [1], "it must be Row (a dict with id, tags), not list"),
    (s.Choice(("a", 1)), "b", "it must be one of 'a', 1, not 'b'"),
    (s.Choice(("a", 1)), True, "it must be one of 'a', 1, not True"),
    (s.Choice((True,)), 1, "it must be one of True, not 1"),
    (s.Choice((1,)), 1.0, "it must be one of 1, not 1.0"),
    (s.Choice(("a",)), HUGE, "it must be one of 'a', not <int>"),
    (s.Union((INT, TEXT)), None, "it must be int or str, not NoneType"),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "value"), FITTING)
def test_what_fits(shape: s.Shape, value: Any) -> None:
    assert check(value, shape, "it") is None


@pytest.mark.parametrize(
    ("shape", "value", "problem"), NOT_FITTING, ids=[problem for _, _, problem in NOT_FITTING]
)
def test_what_does_not_fit(shape: s.Shape, value: Any, problem: str) -> None:
    assert check(value, shape, "it") == problem


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (s.AnyShape(), "any value"), (INT, "int"), (s.Sequence("set", s.AnyShape()), "set"),
        (s.Sequence("list", s.Sequence("list", INT)), "list[list[int]]"),
        (s.Tuple((INT, TEXT)), "tuple[int, str]"), (s.Mapping(s.AnyShape(), s.AnyShape()), "dict"),
        (s.Mapping(TEXT, s.AnyShape()), "dict[str, any value]"),
        (ROW, "Row (a dict with id, tags)"), (s.Choice((None, "x")), "one of None, 'x'"),
        (s.Union((INT, s.Scalar("None"))), "int or None"),
    ],
)  # fmt: skip
def test_described_as_a_person_would(shape: s.Shape, text: str) -> None:
    assert describe(shape) == text


SCALARS = st.sampled_from(s.SCALAR_NAMES).map(s.Scalar)
SHAPES: st.SearchStrategy[s.Shape] = st.recursive(
    st.just(s.AnyShape()) | SCALARS
    | st.lists(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=2), max_size=3)
    .map(lambda values: s.Choice(tuple(values))),
    lambda inner: (
        st.builds(s.Sequence, st.sampled_from(["list", "tuple", "set"]), inner)
        | st.lists(inner, max_size=3).map(lambda items: s.Tuple(tuple(items)))
        | st.builds(s.Mapping, inner, inner)
        | st.lists(inner, max_size=3).map(lambda options: s.Union(tuple(options)))
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
        .map(lambda fields: s.Record("R", fields, tuple(fields)[:1]))
    ),
    max_leaves=6,
)  # fmt: skip


@given(SHAPES, VALUES)
def test_any_value_against_any_shape(shape: s.Shape, value: Any) -> None:
    problem = check(value, shape, "it")
    assert problem is None or "it" in problem
    assert check(value, s.Union((shape, s.AnyShape())), "it") is None
    assert (check(value, s.Union((shape,)), "it") is None) == (problem is None)


@given(SHAPES)
def test_shapes_are_data(shape: s.Shape) -> None:
    data = msgspec.msgpack.encode(shape)
    assert msgspec.msgpack.decode(data, type=s.Shape) == shape  # type: ignore[arg-type, type-abstract, unused-ignore]
    assert isinstance(describe(shape), str)


def test_shown() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    assert brief("x" * 100) == f"'{'x' * 39}"
    assert brief(10**5000) == "<int>"
    assert brief(Hostile()) == "<Hostile>"
