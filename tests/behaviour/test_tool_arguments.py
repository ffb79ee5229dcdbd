"""What a tool's annotations let through: the values its handler gets, the calls that are denied."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - the annotations below are read at run time
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType, NotRequired, TypedDict

import pytest

from doublevm import ErrorCode
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Runs

kept: list[Any] = []
"""What the handlers were given, in order."""

TeamId = NewType("TeamId", int)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Switch(Enum):
    ON = True
    UNSET = None


@dataclass
class Point:
    x: int
    y: float = 0.5


@dataclass
class Path:
    points: list[Point] = field(default_factory=list)
    colour: Colour | None = None


class Filter(TypedDict):
    team: str
    limit: NotRequired[int]


class Model:
    """Looks like a pydantic model, as far as the library looks."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and other.fields == self.fields

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def model_validate(cls, value: dict[str, Any]) -> Model:
        if "id" not in value:
            raise ValueError("id: field required")
        return cls(**value)


def take(
    a: Any = 0,
    *,
    untyped: object = 0,
    integer: int = 0,
    real: float = 0.0,
    text: str = "",
    raw: bytes = b"",
    money: Decimal = Decimal(0),
    colour: Colour = Colour.RED,
    size: Size = Size.SMALL,
    switch: Switch = Switch.ON,
    mode: Literal["fast", 1] | None = None,
    maybe: int | None = None,
    either: int | str = 0,
    day: dt.date | Literal["today"] = "today",
    number: float | str = 0,
    exact: float | int = 0,  # noqa: PYI041 - the two are told apart
    pair: tuple[int, str] = (0, ""),
    numbers: tuple[int, ...] = (),
    tags: frozenset[str] = frozenset(),
    scores: dict[str, float] = {},  # noqa: B006 - never changed
    by_number: dict[int, Point] = {},  # noqa: B006
    point: Point | None = None,
    path: Path | None = None,
    shape: Path | Point | None = None,
    where: Filter | None = None,
    model: Model | None = None,
    models: list[Model] = [],  # noqa: B006
    model_or_text: Model | str = "",
    team: TeamId = TeamId(0),
    labelled: Annotated[list[int], "some"] = [],  # noqa: B006
) -> None:
    kept.append(dict(locals()))


def rename(old: str, new: str) -> None:
    kept.append((old, new))


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    tools = [take, rename]
    with opened(driver, engine=engine, tools=tools) as enclave, enclave.session() as session:
        yield session


ACCEPTED: list[tuple[str, Any]] = [
    ("a=None", None),
    ("a=[1, {'k': (2,)}]", [1, {"k": (2,)}]),
    ("untyped={1}", {1}),
    ("integer=-5", -5),
    ("real=1", 1.0),
    ("real=1.5", 1.5),
    ("text='é'", "é"),
    ("raw=b'x'", b"x"),
    ("colour='blue'", Colour.BLUE),
    ("size=2", Size.LARGE),
    ("switch=None", Switch.UNSET),
    ("mode='fast'", "fast"),
    ("mode=1", 1),
    ("maybe=3", 3),
    ("maybe=None", None),
    ("either='x'", "x"),
    ("day='today'", "today"),
    ("number=1", 1.0),
    ("exact=1", 1),
    ("exact=1.0", 1.0),
    ("number=1.0", 1.0),
    ("pair=(1, 'a')", (1, "a")),
    ("pair=[1, 'a']", (1, "a")),
    ("numbers=[1, 2]", (1, 2)),
    ("tags={'a'}", frozenset({"a"})),
    ("tags=['a', 'a']", frozenset({"a"})),
    ("scores={'a': 1}", {"a": 1.0}),
    ("by_number={3: {'x': 1}}", {3: Point(1)}),
    ("point={'x': 1}", Point(1)),
    ("point={'x': 1, 'y': 2}", Point(1, 2.0)),
    ("path={}", Path()),
    ("path={'points': [{'x': 1}], 'colour': 'red'}", Path([Point(1)], Colour.RED)),
    ("shape={'x': 4}", Point(4)),
    ("shape={'points': []}", Path()),
    ("where={'team': 'a'}", {"team": "a"}),
    ("model={'id': 1, 'extra': [2]}", Model(id=1, extra=[2])),
    ("models=[{'id': 1}, {'id': 2}]", [Model(id=1), Model(id=2)]),
    ("model_or_text={'id': 1}", Model(id=1)),
    ("model_or_text='none'", "none"),
    ("team=3", 3),
    ("labelled=[1]", [1]),
]


@pytest.mark.parametrize(("argument", "value"), ACCEPTED)
def test_the_handler_gets_what_its_annotation_says(guest: Runs, argument: str, value: Any) -> None:
    kept.clear()
    guest.run(f"take({argument})").unwrap()
    (given,) = kept
    got = given[argument.partition("=")[0]]
    assert got == value
    assert type(got) is type(value)


WRONG_TYPES: list[tuple[str, str]] = [
    ("integer='1'", "argument 'integer' must be int, not str"),
    ("integer=1.0", "argument 'integer' must be int, not float"),
    ("integer=True", "argument 'integer' must be int, not bool"),
    ("real=True", "argument 'real' must be float, not bool"),
    ("text=None", "argument 'text' must be str, not NoneType"),
    ("raw='x'", "argument 'raw' must be bytes, not str"),
    ("money=1.5", "argument 'money' must be Decimal, not float"),
    ("colour='green'", "argument 'colour' must be one of 'red', 'blue', not 'green'"),
    ("size=True", "argument 'size' must be one of 1, 2, not True"),
    ("mode=True", "argument 'mode' must be one of 'fast', 1 or None, not bool"),
    ("maybe='x'", "argument 'maybe' must be int or None, not str"),
    ("either=None", "argument 'either' must be int or str, not NoneType"),
    ("pair=(1,)", "argument 'pair' must have 2 items, not 1"),
    ("pair=(1, 2)", "argument 'pair'[1] must be str, not int"),
    ("numbers=[1, 'x']", "argument 'numbers'[1] must be int, not str"),
    ("numbers={1}", "argument 'numbers' must be tuple[int], not set"),
    ("scores={1: 1}", "key 1 of argument 'scores' must be str, not int"),
    ("scores={'a': '1'}", "argument 'scores'['a'] must be float, not str"),
    ("labelled=(1,)", "argument 'labelled' must be list[int], not tuple"),
    ("where={}", "argument 'where' must be Filter (a dict with team, limit) or None, not dict"),
    ("model={1: 2}", "argument 'model' must be dict[str, any value] or None, not dict"),
]


@pytest.mark.parametrize(("argument", "reason"), WRONG_TYPES)
def test_a_wrong_type_is_denied_and_says_which(guest: Runs, argument: str, reason: str) -> None:
    kept.clear()
    result = guest.run(f"take({argument})")
    error = result.error
    assert error is not None
    assert error.message == f"TypeError: take denied: {reason} [arguments/type]"
    assert (error.code, error.type, error.operation) == (
        ErrorCode.OPERATION_DENIED,
        "TypeError",
        "take",
    )
    assert error.verdict is not None
    assert error.verdict.address == "arguments/type"
    assert not kept, "the handler never ran"


WRONG_BINDING: list[tuple[str, str]] = [
    ("rename()", "argument 'old' is missing; it takes (old, new)"),
    ("rename('a')", "argument 'new' is missing; it takes (old, new)"),
    ("rename('a', 'b', 'c')", "takes 2 arguments by position, 3 were given"),
    ("rename('a', old='b')", "argument 'old' was given twice"),
    ("rename('a', nwe='b')", "there is no argument 'nwe'; it takes (old, new)"),
    ("call_tool('rename', {'old': 'a'})", "argument 'new' is missing; it takes (old, new)"),
    ("take(1, 2)", "takes 1 argument by position, 2 were given"),
]


@pytest.mark.parametrize(("call", "reason"), WRONG_BINDING)
def test_arguments_that_do_not_fit_are_denied(guest: Runs, call: str, reason: str) -> None:
    kept.clear()
    name = "take" if call.startswith("take") else "rename"
    expected = f"{name} denied: {reason} [arguments/binding]"
    result = guest.run(call)
    assert result.error is not None
    assert result.error.message == f"TypeError: {expected}"
    assert result.error.verdict is not None
    assert result.error.verdict.address == "arguments/binding"
    assert (result.audit[0].outcome, result.stats.tool_calls) == ("denied", 0)
    assert not kept, "the handler never ran"
    caught = guest.run(f"try:\n    {call}\nexcept TypeError as e:\n    r = str(e)\nr")
    assert caught.unwrap() == expected


def test_a_class_that_refuses_its_value_is_the_tools_error(guest: Runs) -> None:
    result = guest.run("take(model={'name': 'x'})")
    assert result.error is not None
    assert result.error.code is ErrorCode.TOOL_ERROR
    assert result.error.message == "ValueError: id: field required"
