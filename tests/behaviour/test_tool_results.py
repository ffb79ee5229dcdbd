"""What a tool's result is in the guest, and what happens to one that cannot cross."""

from __future__ import annotations

import collections
import datetime as dt
import zoneinfo
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from doublevm import ErrorCode
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Runs


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    LARGE = 2


class Mood(StrEnum):
    GOOD = "good"


class Pair(NamedTuple):
    left: int
    right: str


@dataclass
class Row:
    id: int
    colour: Colour
    parts: list[Row]


class Model:
    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def model_dump(self) -> dict[str, Any]:
        return self.fields


class BrokenModel:
    def model_dump(self) -> dict[str, Any]:
        raise LookupError("the session is closed")


class Plain:
    pass


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _cyclic() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")

PLAIN: dict[str, tuple[Any, Any]] = {
    "a dataclass": (
        Row(1, Colour.RED, [Row(2, Colour.RED, [])]),
        {"id": 1, "colour": "red", "parts": [{"id": 2, "colour": "red", "parts": []}]},
    ),
    "dataclasses in containers": (
        {"rows": (Row(1, Colour.RED, []),)},
        {"rows": ({"id": 1, "colour": "red", "parts": []},)},
    ),
    "a model": (Model(id=1, colour=Colour.RED), {"id": 1, "colour": "red"}),
    "an enum": (Colour.RED, "red"),
    "an enum as a key": ({Colour.RED: 1}, {"red": 1}),
    "an int enum": (Size.LARGE, 2),
    "a text enum": ({Mood.GOOD: [Mood.GOOD]}, {"good": ["good"]}),
    "a named tuple": (Pair(1, "a"), (1, "a")),
    "a counter": (collections.Counter("aab"), {"a": 2, "b": 1}),
    "an ordered dict": (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    "a time zone": (
        dt.datetime(2020, 7, 1, tzinfo=BERLIN),
        dt.datetime(2020, 7, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    ),
    "just not too deep": (_nested(63), _nested(63)),
}

REFUSED: dict[str, tuple[Any, str]] = {
    "an object": (Plain(), " is of type Plain, which cannot cross"),
    "an object inside": ({"rows": [1, Plain()]}, "['rows'][1] is of type Plain"),
    "an object in a dataclass": (
        Row(1, Colour.RED, [Plain()]),  # type: ignore[list-item]
        "['parts'][0] is of type Plain",
    ),
    "an object as a key": ({("k", print): 1}, "is of type builtin_function_or_method"),
    "complex": (1j, " is of type complex"),
    "a function": (print, " is of type builtin_function_or_method"),
    "a class": (Plain, " is of type type"),
    "a generator": ((n for n in range(3)), " is of type generator"),
    "a range": (range(3), " is of type range"),
    "a dict's keys": ({}.keys(), " is of type dict_keys"),
    "a bytearray": (bytearray(b"x"), " is of type bytearray"),
    "an exception": (ValueError("x"), " is of type ValueError"),
    "too deep": (_nested(64), "is nested more than 64 levels deep (or contains itself)"),
    "far too deep": (_nested(5000), "is nested more than 64 levels deep (or contains itself)"),
    "a cycle": (_cyclic(), "is nested more than 64 levels deep (or contains itself)"),
    "too large": ("x" * 2**20, "1,048,576"),
    "too large together": (["x" * 2**10] * 2**10, "1,048,576"),
}

VALUES = {name: value for name, (value, _) in (PLAIN | REFUSED).items()}
VALUES["a broken model"] = BrokenModel()


def give(name: str) -> Any:
    return VALUES[name]


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    with opened(driver, engine=engine, tools=[give]) as enclave, enclave.session() as session:
        yield session


@pytest.mark.parametrize("name", PLAIN)
def test_a_result_arrives_as_a_plain_value(guest: Runs, name: str) -> None:
    value = guest.run("give(name)", inputs={"name": name}).unwrap()
    expected = PLAIN[name][1]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize("name", REFUSED)
def test_a_result_that_cannot_cross_is_an_error_that_names_the_path(guest: Runs, name: str) -> None:
    result = guest.run("give(name)", inputs={"name": name})
    error = result.error
    assert error is not None
    assert (error.code, error.type) == (ErrorCode.TOOL_ERROR, "TypeError")
    assert "the result of give" in error.message
    assert REFUSED[name][1] in error.message
    assert result.audit[0].outcome == "raised"
    caught = "try:\n    give(name)\nexcept TypeError as e:\n    r = 'caught'\nr"
    assert guest.run(caught, inputs={"name": name}).unwrap() == "caught"


def test_a_model_that_cannot_be_read_is_the_tools_error(guest: Runs) -> None:
    result = guest.run("give('a broken model')")
    assert result.error is not None
    assert result.error.code is ErrorCode.TOOL_ERROR
    assert result.error.message == "LookupError: the session is closed"
