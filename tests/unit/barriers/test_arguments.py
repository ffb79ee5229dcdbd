"""The arguments barrier: by name, all there, none unknown, each of its declared shape."""

from __future__ import annotations

from typing import Any

import pytest

from doublevm.barriers.arguments import judge_arguments, named_arguments
from doublevm.operation import BindingError, Operation, Parameter, ToolSpec
from doublevm.shapes import AnyShape, Scalar, Sequence, Union

PARAMETERS = (
    Parameter("team", Scalar("str"), required=True),
    Parameter("limit", Union((Scalar("int"), Scalar("None"))), required=False),
    Parameter("tags", Sequence("list", Scalar("str")), required=False, positional=False),
    Parameter("extra", AnyShape(), required=False, positional=False),
)
SPEC = ToolSpec("list", PARAMETERS)

FITTING: list[dict[str, Any]] = [
    {"team": "red"},
    {"team": "", "limit": 5},
    {"team": "red", "limit": None},
    {"team": "red", "tags": []},
    {"team": "red", "tags": ["a", "b"]},
    {"team": "red", "extra": {"any": [b"thing"]}},
    {"extra": None, "limit": -1, "team": "red", "tags": ["x"]},
]
NOT_FITTING: list[tuple[dict[str, Any], str, str]] = [
    ({}, "arguments/binding", "'team' is missing"),
    ({"limit": 5}, "arguments/binding", "'team' is missing"),
    ({"team": "red", "color": 1}, "arguments/binding", "no argument 'color'"),
    ({"team": "red", "Team": "x"}, "arguments/binding", "no argument 'Team'"),
    ({"team": None}, "arguments/type", "argument 'team' must be str, not NoneType"),
    ({"team": b"red"}, "arguments/type", "argument 'team' must be str, not bytes"),
    ({"team": ["red"]}, "arguments/type", "argument 'team' must be str, not list"),
    ({"team": "red", "limit": True}, "arguments/type", "argument 'limit' must be int or None"),
    ({"team": "red", "limit": "5"}, "arguments/type", "argument 'limit' must be int or None"),
    ({"team": "red", "limit": 5.0}, "arguments/type", "argument 'limit' must be int or None"),
    ({"team": "red", "tags": "abc"}, "arguments/type", "argument 'tags' must be list[str]"),
    ({"team": "red", "tags": ["a", 1]}, "arguments/type", "argument 'tags'[1] must be str"),
    ({"team": "red", "tags": [["a"]]}, "arguments/type", "argument 'tags'[0] must be str"),
]


@pytest.mark.parametrize("args", FITTING)
def test_what_fits_passes(args: dict[str, Any]) -> None:
    assert judge_arguments(Operation("list", args), PARAMETERS) is None


@pytest.mark.parametrize(("args", "address", "reason"), NOT_FITTING)
def test_what_does_not_fit_is_denied(args: dict[str, Any], address: str, reason: str) -> None:
    denial = judge_arguments(Operation("list", args), PARAMETERS)
    assert denial is not None
    assert denial.address == address
    assert reason in denial.reason


def test_the_first_wrong_argument_is_named() -> None:
    denial = judge_arguments(Operation("list", {"team": 1, "limit": "x"}), PARAMETERS)
    assert denial is not None
    assert "'team'" in denial.reason


def test_a_tool_without_parameters() -> None:
    assert judge_arguments(Operation("now", {}), ()) is None
    denial = judge_arguments(Operation("now", {"x": 1}), ())
    assert denial is not None
    assert denial.address == "arguments/binding"


def test_positional_arguments_get_their_names() -> None:
    assert named_arguments(SPEC, ["red", 5], {"tags": []}) == {
        "team": "red", "limit": 5, "tags": [],
    }  # fmt: skip


def test_an_unregistered_operation_takes_named_arguments_only() -> None:
    assert named_arguments(None, [], {"any": 1}) == {"any": 1}
    with pytest.raises(BindingError, match="by name"):
        named_arguments(None, [1], {})


def test_what_is_given_back_is_a_copy() -> None:
    given = {"any": 1}
    assert named_arguments(None, [], given) is not given
