"""Functions that cannot be tools: a ConfigError that names the tool and what is wrong with it."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - the annotations below are read at run time
import enum
import functools
from collections.abc import Callable, Generator  # noqa: TC003
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypedDict

import pytest

from doublevm import ConfigError, Enclave, tool


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "é", "a\n", "a" * 129, "a,b", "call_tool", 5, b"a", "a*"]
)
def test_a_tools_name_that_cannot_be_right(name: Any) -> None:
    with pytest.raises(ConfigError, match="tool name"):
        tool(name=name)(lambda: None)


class Colour(enum.Enum):
    RED = 0.5


class NoColour(enum.Enum):
    pass


@dataclass
class Node:
    children: list[Node]


class Tree(TypedDict):
    branches: list[Tree]


@dataclass
class Lost:
    where: Nowhere  # type: ignore[name-defined]  # noqa: F821


def several_named(a: int, b: int = 2) -> None: ...
def several(*rows: int) -> None: ...
def anything(**named: int) -> None: ...
def unresolved(x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def returns_unresolved() -> Nowhere: ...  # type: ignore[name-defined]  # noqa: F821
def unresolved_inside(x: Lost) -> None: ...
def no_expression(x: "list[") -> None: ...  # type: ignore[valid-type]  # noqa: F722
def no_attribute(x: dt.nothing) -> None: ...  # type: ignore[name-defined]
def no_type(x: "int | 'str'") -> None: ...  # noqa: UP037
def a_class_variable(x: ClassVar[int]) -> None: ...  # type: ignore[misc]
def too_few(x: Generator[int]) -> None: ...
def of_one(x: dict[int]) -> None: ...  # type: ignore[type-arg]
def of_two(x: list[int, str]) -> None: ...  # type: ignore[type-arg]
def complex_number(x: complex) -> None: ...
def inside(x: list[complex]) -> None: ...
def function(x: Callable[[], int]) -> None: ...
def of_type(x: type[int]) -> None: ...
def bytes_array(x: bytearray) -> None: ...
def float_enum(x: Colour) -> None: ...
def empty_enum(x: NoColour) -> None: ...
def float_literal(x: Literal[1.5]) -> None: ...  # type: ignore[valid-type]
def list_literal(x: Literal[[1]]) -> None: ...  # type: ignore[valid-type]
def recursive(x: Node) -> None: ...
def recursive_dict(x: Tree) -> None: ...


SIGNATURES: dict[Callable[..., Any], str] = {
    several: "has no fixed name; declare each argument, or take a dict",
    anything: "has no fixed name",
    unresolved: "an annotation cannot be resolved: name 'Nowhere' is not defined",
    returns_unresolved: "an annotation cannot be resolved: name 'Nowhere' is not defined",
    unresolved_inside: "name 'Nowhere' is not defined",
    no_expression: "an annotation cannot be resolved",
    no_attribute: "an annotation cannot be resolved",
    no_type: "an annotation cannot be resolved",
    a_class_variable: "an annotation cannot be resolved",
    too_few: "tool 'too_few': ",
    of_one: "is annotated dict[int], which no guest value can be",
    of_two: "is annotated list[int, str], which no guest value can be",
    complex_number: "parameter 'x' is annotated complex, which no guest value can be",
    inside: "parameter 'x' is annotated complex",
    function: "which no guest value can be",
    of_type: "is annotated type[int]",
    bytes_array: "is annotated bytearray",
    float_enum: "0.5 is not None, a bool, an int or text",
    empty_enum: "an enum that has no members",
    float_literal: "1.5 is not None, a bool, an int or text",
    list_literal: "[1] is not None, a bool, an int or text",
    recursive: "a type that contains itself",
    recursive_dict: "a type that contains itself",
    max: "has no signature that can be read",
    print: "has no fixed name",
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__name__)
def test_a_signature_that_no_guest_can_call(function: Callable[..., Any]) -> None:
    for make in (tool, lambda function: Enclave(tools=[function])):
        with pytest.raises(ConfigError) as raised:
            make(function)
        assert SIGNATURES[function] in str(raised.value)
        assert f"tool {function.__name__!r}" in str(raised.value)
        assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "nameless", [lambda: 1, functools.partial(several_named, 1)], ids=["lambda", "partial"]
)
def test_what_has_no_name_needs_one(nameless: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"give one with @tool\(name=...\)"):
        Enclave(tools=[nameless])
    assert Enclave(tools=[tool(name="one")(nameless)]).tool_stubs()
