"""How a guest writes an operation's name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doublevm.guest_names import CALL_TOOL, guest_path, spread_call_tool


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("add", ("add",)), ("users:list", ("users", "list")), ("users.list", ("users", "list")),
        ("a:b.c:d", ("a", "b", "c", "d")), ("_x", ("_x",)), ("call_tool", (CALL_TOOL,)),
        ("match", ("match",)), ("type", ("type",)), ("print", ("print",)),
        ("get-all", None), ("v1/users", None), ("1st", None), ("users:", None), (":users", None),
        ("users::list", None), ("users:1", None), ("class", None), ("users:import", None),
        ("None", None), ("a.True", None), ("", None), (".", None), ("a b", None),
    ],
)  # fmt: skip
def test_guest_path(operation: str, path: tuple[str, ...] | None) -> None:
    assert guest_path(operation) == path


@given(st.text("abz_:./-1", max_size=12))
def test_a_path_can_be_written_in_python(operation: str) -> None:
    path = guest_path(operation)
    if path is not None:
        compile(".".join(path), "", "eval")


@pytest.mark.parametrize(
    ("args", "kwargs", "operation", "given"),
    [
        (("users:list",), {}, "users:list", {}),
        (("users:list", {"limit": 1}), {}, "users:list", {"limit": 1}),
        (("users:list", None), {}, "users:list", {}),
        (("users:list",), {"limit": 1}, "users:list", {"limit": 1}),
        (("users:list", {"limit": 1}), {"team": "x"}, "users:list", {"limit": 1, "team": "x"}),
        (("users:list", {"limit": 1}), {"limit": 2}, "users:list", {"limit": 2}),
        (("", {}), {}, "", {}),
    ],
)
def test_call_tool(
    args: tuple[Any, ...], kwargs: dict[str, Any], operation: str, given: dict[str, Any]
) -> None:
    assert spread_call_tool(args, kwargs) == (operation, (), given)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}), ((), {"name": "x"}), ((1,), {}), ((None,), {}), ((b"x",), {}),
        (("x", []), {}), (("x", "y"), {}), (("x", 5), {}), (("x", {}, 1), {}),
        (("x", {1: 2}), {}), (("x", {"a": 1, None: 2}), {}),
    ],
)  # fmt: skip
def test_no_call_of_call_tool(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="call_tool takes"):
        spread_call_tool(args, kwargs)


def test_the_dict_that_was_given_stays_as_it_is() -> None:
    given_args = {"limit": 1}
    spread_call_tool(("x", given_args), {"team": "y"})
    assert given_args == {"limit": 1}
