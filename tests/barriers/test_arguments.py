from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest

from doublevm import shapes as s
from doublevm.barriers.arguments import judge_arguments, named_arguments
from doublevm.operation import BindingError, Operation, Parameter, ToolSpec, bind
from tests.barriers.cases import Denial, Harmless, Setting, Step, Table

BINDING, TYPE = "arguments/binding", "arguments/type"
INT, STR, ANY = s.Scalar("int"), s.Scalar("str"), s.AnyShape()

USERS_LIST = ToolSpec(
    "users:list",
    (
        Parameter("team", STR, required=True),
        Parameter("limit", INT, required=False),
        Parameter("only", s.Scalar("bool"), required=False, positional=False),
    ),
)
NOTHING = ToolSpec("nothing", ())
ON = Setting(tools=(USERS_LIST, NOTHING), catch_all=False)


def call(*positional: Any, tool: str = "users:list", expect: str = "allowed", **named: Any) -> Step:
    return Step(tool, named, expect=expect, positional=positional)


def unbound(id_: str, step: Step, twin: Step) -> Denial:
    without: dict[str, Any] = {
        "named_arguments": lambda _spec, _args, kwargs: dict(kwargs),
        "judge_arguments": lambda *_args: None,
    }
    return Denial(id=id_, on=ON, steps=[step], without=without, twin=[twin])


class TestBinding(Table):
    denials = (
        unbound("missing", call(expect=BINDING), call("red")),
        unbound("missing-first", call(expect=BINDING, limit=3), call(limit=3, team="red")),
        unbound("unknown", call("red", expect=BINDING, x=1), call("red", limit=1)),
        unbound("unknown-case", call("red", expect=BINDING, Limit=1), call("red", limit=1)),
        unbound("twice", call("red", expect=BINDING, team="blue"), call("red", only=True)),
        unbound("too-many", call("red", 1, 2, expect=BINDING), call("red", 1, only=True)),
        unbound("none-taken", call(1, tool="nothing", expect=BINDING), call(tool="nothing")),
        unbound("none-taken-named", call(tool="nothing", expect=BINDING, x=1), call("red")),
        unbound("long-name", Step("users:list", {"x" * 10_000: 1}, expect=BINDING), call("r")),
        unbound("surrogate-name", Step("users:list", {"\ud800": 1}, expect=BINDING), call("r")),
    )
    harmless = (Harmless("all-by-name", [call(team="red", limit=1, only=False)], ON),)


class TestCatchAll(Table):
    """Operations that are not registered take their arguments by name."""

    denials = (
        Denial(
            id="by-position",
            steps=[call("red", tool="some:thing", expect=BINDING)],
            without={"named_arguments": lambda _spec, _args, kwargs: dict(kwargs)},
            twin=[call(tool="some:thing", team="red")],
        ),
    )
    harmless = (Harmless("none", [call(tool="some:thing")]),)


ID = uuid.UUID(int=7)
DAY = dt.date(2024, 1, 31)
MOMENT = dt.datetime(2024, 1, 31, 12, tzinfo=dt.UTC)
RED_OR_7 = s.Choice(("red", 7, None))
POINT = s.Record("Point", {"x": INT, "y": INT}, ("x",))

# id, shape, a value that does not fit, one that does
SHAPES: list[tuple[str, s.Shape, Any, Any]] = [
    ("int-text", INT, "1", 1),
    ("int-float", INT, 1.0, -(10**30)),
    ("int-bool", INT, True, 0),
    ("float-text", s.Scalar("float"), "1.5", 1.5),
    ("float-bool", s.Scalar("float"), True, 1),
    ("str-bytes", STR, b"a", ""),
    ("str-none", STR, None, "None"),
    ("bytes-str", s.Scalar("bytes"), "a", b"a"),
    ("bool-int", s.Scalar("bool"), 1, False),
    ("none-false", s.Scalar("None"), False, None),
    ("date-datetime", s.Scalar("date"), MOMENT, DAY),
    ("datetime-date", s.Scalar("datetime"), DAY, MOMENT),
    ("time-text", s.Scalar("time"), "12:00", dt.time(12)),
    ("timedelta-int", s.Scalar("timedelta"), 3, dt.timedelta(3)),
    ("decimal-float", s.Scalar("Decimal"), 1.5, Decimal("1.5")),
    ("uuid-text", s.Scalar("UUID"), str(ID), ID),
    ("list-text", s.Sequence("list", STR), "ab", ["a", "b"]),
    ("list-tuple", s.Sequence("list", ANY), (1,), [1, "a"]),
    ("list-item", s.Sequence("list", INT), [1, 2, "3"], []),
    ("tuple-set", s.Sequence("tuple", INT), {1}, (1, 2, 3)),
    ("set-dict", s.Sequence("set", INT), {1: 1}, {1}),
    ("pair-length", s.Tuple((INT, STR)), (1,), (1, "a")),
    ("pair-item", s.Tuple((INT, STR)), (1, 2), [1, "a"]),
    ("pair-text", s.Tuple((STR, STR)), "ab", ("a", "b")),
    ("dict-list", s.Mapping(ANY, ANY), [], {}),
    ("dict-key", s.Mapping(STR, INT), {1: 1}, {"a": 1}),
    ("dict-value", s.Mapping(STR, INT), {"a": "b"}, {"a": 1, "b": 2}),
    ("dict-huge-key", s.Mapping(STR, INT), {10**5000: 1}, {"a": 1}),
    ("record-list", POINT, [1], {"x": 1}),
    ("record-lacks", POINT, {"y": 1}, {"x": 1, "y": 2}),
    ("record-more", POINT, {"x": 1, "z": 1}, {"x": 1}),
    ("record-field", POINT, {"x": "1"}, {"x": 1}),
    ("choice-other", RED_OR_7, "blue", "red"),
    ("choice-equal-but-bool", s.Choice((1,)), True, 1),
    ("choice-huge", RED_OR_7, 10**5000, 7),
    ("union-neither", s.Union((INT, STR)), 1.5, "a"),
    ("nested", s.Sequence("list", s.Mapping(STR, INT)), [{"a": 1}, {"a": None}], [{}, {"a": 1}]),
]


def shaped(name: str, shape: s.Shape, wrong: Any, right: Any) -> Denial:
    spec = ToolSpec("put", (Parameter("value", shape, required=True),))
    return Denial(
        id=name,
        on=Setting(tools=(spec,), catch_all=False),
        steps=[Step("put", {"value": wrong}, expect=TYPE)],
        without={"judge_arguments": lambda *_args: None},
        twin=[Step("put", {"value": right}), Step("put", positional=(right,))],
    )


class TestTypes(Table):
    denials = tuple(shaped(*row) for row in SHAPES)
    harmless = (
        Harmless(
            "any-value",
            [Step("put", {"value": wrong}) for _, _, wrong, _ in SHAPES[:5]],
            Setting(tools=(ToolSpec("put", (Parameter("value", ANY, required=True),)),)),
        ),
    )


PARAMETERS = USERS_LIST.parameters


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "argument 'team' is missing; it takes (team, limit=…, only=…)"),
        (("a", 1, 2), {}, "takes 2 arguments by position, 3 were given"),
        (("a",), {"team": "b"}, "argument 'team' was given twice"),
        (("a",), {"size": 1}, "there is no argument 'size'; it takes (team, limit=…, only=…)"),
    ],
)
def test_a_binding_error_says_what_to_do(args: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(BindingError) as caught:
        bind(PARAMETERS, args, kwargs)
    assert str(caught.value) == message


def test_one_argument_is_counted_in_the_singular() -> None:
    with pytest.raises(BindingError, match=r"^takes 1 argument by position, 2 were given$"):
        bind(PARAMETERS[:1], (1, 2), {})


def test_a_long_name_makes_no_long_message() -> None:
    denial = judge_arguments(Operation("users:list", {"x" * 10_000: 1}), PARAMETERS)
    assert denial is not None
    assert denial.address == BINDING
    assert denial.reason == (
        f"there is no argument 'xxxx{'x' * 35}; it takes (team, limit=…, only=…)"
    )


def test_the_reason_names_the_argument() -> None:
    denial = judge_arguments(Operation("users:list", {"team": 7}), PARAMETERS)
    assert denial is not None
    assert denial.reason == "argument 'team' must be str, not int"


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (ANY, "any value"),
        (s.Sequence("list", ANY), "list"),
        (s.Sequence("set", INT), "set[int]"),
        (s.Tuple((INT, STR)), "tuple[int, str]"),
        (s.Mapping(ANY, ANY), "dict"),
        (s.Mapping(STR, ANY), "dict[str, any value]"),
        (POINT, "Point (a dict with x, y)"),
        (RED_OR_7, "one of 'red', 7, None"),
        (s.Union((INT, s.Scalar("None"))), "int or None"),
    ],
)
def test_what_a_shape_is_called(shape: s.Shape, text: str) -> None:
    assert s.describe(shape) == text


def test_arguments_get_their_names() -> None:
    assert named_arguments(USERS_LIST, ("a", 1), {"only": True}) == {
        "team": "a",
        "limit": 1,
        "only": True,
    }
    assert named_arguments(None, (), {"x": 1}) == {"x": 1}
    with pytest.raises(BindingError, match=r"^takes its arguments by name, as a dict$"):
        named_arguments(None, (1,), {})
