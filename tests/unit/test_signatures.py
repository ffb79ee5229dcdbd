"""From annotations to shapes: what a tool declares is what its calls are checked against."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import typing
from collections import abc
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, NotRequired, Optional, TypedDict, Union
from uuid import UUID

import pytest

from doublevm import shapes as s
from doublevm.errors import ConfigError
from doublevm.signatures import convert, needs_conversion, read_parameters, shape_of

INT, TEXT, NONE, ANY = s.Scalar("int"), s.Scalar("str"), s.Scalar("None"), s.AnyShape()


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Size(enum.Enum):
    SMALL = 1
    NONE = None


@dataclass
class Point:
    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)
    hidden: int = field(default=0, init=False)


class Row(TypedDict):
    id: int
    name: NotRequired[str]


UserId = NewType("UserId", int)
POINT = s.Record("Point", {"x": INT, "y": INT, "tags": s.Sequence("list", TEXT)}, ("x",))
ROW = s.Record("Row", {"id": INT, "name": TEXT}, ("id",))

TABLE: list[tuple[Any, s.Shape]] = [
    (int, INT), (str, TEXT), (None, NONE), (type(None), NONE), (bool, s.Scalar("bool")),
    (float, s.Scalar("float")), (bytes, s.Scalar("bytes")), (dt.datetime, s.Scalar("datetime")),
    (dt.date, s.Scalar("date")), (dt.time, s.Scalar("time")), (dt.timedelta, s.Scalar("timedelta")),
    (Decimal, s.Scalar("Decimal")), (UUID, s.Scalar("UUID")), (Any, ANY), (object, ANY),
    (list, s.Sequence("list", ANY)), (list[int], s.Sequence("list", INT)),
    (typing.List[int], s.Sequence("list", INT)), (abc.Sequence[int], s.Sequence("list", INT)),  # noqa: UP006
    (abc.Iterable[str], s.Sequence("list", TEXT)), (set[int], s.Sequence("set", INT)),
    (frozenset[int], s.Sequence("set", INT)), (abc.Set[int], s.Sequence("set", INT)),
    (tuple, s.Sequence("tuple", ANY)), (tuple[int, ...], s.Sequence("tuple", INT)),
    (tuple[int, str], s.Tuple((INT, TEXT))), (dict, s.Mapping(ANY, ANY)),
    (dict[str, int], s.Mapping(TEXT, INT)), (abc.Mapping[str, Any], s.Mapping(TEXT, ANY)),
    (int | None, s.Union((INT, NONE))), (Optional[int], s.Union((INT, NONE))),  # noqa: UP045
    (Union[int, str], s.Union((INT, TEXT))),  # noqa: UP007
    (Annotated[int, "a note"], INT), (UserId, INT), (list[UserId], s.Sequence("list", INT)),
    (Literal["a", 1, None, True], s.Choice(("a", 1, None, True))),  # noqa: PYI061 - None is meant
    (Colour, s.Choice(("red", "blue"))),
    (Size, s.Choice((1, None))), (Literal[Colour.RED], s.Choice(("red",))), (Point, POINT),
    (Row, ROW), (list[Point], s.Sequence("list", POINT)),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "shape"), TABLE, ids=[str(row[0]) for row in TABLE])
def test_shapes(annotation: Any, shape: s.Shape) -> None:
    assert shape_of(annotation, "it") == shape


class Plain:
    pass


class Recursive(TypedDict):
    children: list[Recursive]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Plain, "annotated Plain, which no guest value can be"),
        (complex, "annotated complex"), (bytearray, "annotated bytearray"),
        (abc.Callable[[], int], "no guest value can be"), (list[Plain], "annotated Plain"),
        (dict[str, complex], "annotated complex"), (int | Plain, "annotated Plain"),
        (Literal[b"x"], "is not None, a bool, an int or text"), (Recursive, "contains itself"),
        (type[int], "no guest value can be"),
    ],
    ids=str,
)  # fmt: skip
def test_what_no_guest_value_can_be(annotation: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        shape_of(annotation, "tool 'x': parameter 'y'")
    assert str(caught.value).startswith("tool 'x': parameter 'y'")


def declared(a: int, /, b: str = "x", *, c: list[int], d: Any = None, e: Any = 1) -> int:
    """Take one argument of each kind."""
    return a


def test_parameters() -> None:
    found = [(p.name, p.shape, p.required, p.positional) for p in read_parameters(declared, "x")]
    assert found == [
        ("a", INT, True, True), ("b", TEXT, False, True),
        ("c", s.Sequence("list", INT), True, False), ("d", ANY, False, False),
        ("e", ANY, False, False),
    ]  # fmt: skip


class Callable_:  # noqa: N801 - it stands for any callable
    def __call__(self, a: int) -> int:
        return a

    def method(self, a: int) -> int:
        return a


@functools.wraps(declared)
def wrapped(*args: Any, **kwargs: Any) -> Any:
    return declared(*args, **kwargs)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (Callable_(), ["a"]), (Callable_().method, ["a"]), (wrapped, ["a", "b", "c", "d", "e"]),
        (functools.partial(declared, c=[1]), ["a", "b", "c", "d", "e"]),
        (Point, ["x", "y", "tags"]), (lambda a, b=1: a, ["a", "b"]),
    ],
)  # fmt: skip
def test_callables_of_every_kind(function: Any, names: list[str]) -> None:
    assert [parameter.name for parameter in read_parameters(function, "x")] == names


def unresolved(a: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
    pass


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda *args: args, r"parameter \*args has no fixed name"),
        (lambda **kwargs: kwargs, r"parameter \*\*kwargs has no fixed name"),
        (unresolved, "an annotation cannot be resolved: .*Nowhere"),
    ],
)
def test_signatures_that_are_not_usable(function: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_parameters(function, "x")


CONVERSIONS: list[tuple[Any, Any, Any]] = [
    (float, 1, 1.0), (tuple[int, ...], [1, 2], (1, 2)), (tuple[int, str], [1, "x"], (1, "x")),
    (set[int], [1, 1], {1}), (frozenset[int], [1], frozenset((1,))), (Colour, "red", Colour.RED),
    (Literal[Colour.RED], "red", Colour.RED), (Size, None, Size.NONE), (Point, {"x": 1}, Point(1)),
    (Point, {"x": 1, "tags": ["a"]}, Point(1, 0, ["a"])), (list[Point], [{"x": 1}], [Point(1)]),
    (dict[str, tuple[int, int]], {"a": [1, 2]}, {"a": (1, 2)}), (float | None, 2, 2.0),
    (float | int, 2, 2), (Point | None, None, None), (Point | str, "x", "x"), (UserId, 5, 5),
    (Annotated[float, "note"], 1, 1.0), (Row, {"id": 1}, {"id": 1}), (Any, [1], [1]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("annotation", "value", "expected"), CONVERSIONS, ids=[str(row[0]) for row in CONVERSIONS]
)
def test_conversion(annotation: Any, value: Any, expected: Any) -> None:
    shape = shape_of(annotation, "it")
    assert s.check(value, shape, "it") is None
    converted = convert(value, annotation)
    assert converted == expected
    assert type(converted) is type(expected)
    # Where nothing has to be converted, nothing would be changed by it.
    assert needs_conversion(shape) or converted == value
