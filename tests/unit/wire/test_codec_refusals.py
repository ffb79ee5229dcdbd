"""What cannot cross is refused with a message that says where it is and what would be right."""

from __future__ import annotations

import array
import datetime as dt
import io
import re
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from doublevm.wire.codec import MAX_DEPTH, MAX_VALUE_BYTES, CodecError, encode


@dataclass(frozen=True)
class Plain:
    number: int


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError


def message(value: Any, what: str = "the value", **options: Any) -> str:
    with pytest.raises(CodecError) as caught:
        encode(value, what, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "object"), (Plain(1), "Plain"), (lambda: 1, "function"), (Plain, "type"),
        (iter([]), "list_iterator"), (range(3), "range"), (1j, "complex"), (sys, "module"),
        (array.array("b"), "array"), (bytearray(b"x"), "bytearray"),
        (memoryview(b"x"), "memoryview"),
        (io.StringIO(), "StringIO"), (..., "ellipsis"), (NotImplemented, "NotImplementedType"),
        (dt.UTC, "timezone"), (ValueError("x"), "ValueError"), (slice(1), "slice"),
    ],
)  # fmt: skip
def test_the_type_is_named(value: Any, kind: str) -> None:
    assert message(value).startswith(f"the value is of type {kind}, which cannot cross; plain")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([1, object()], "rows[1]"),
        ((1, [2, object()]), "rows[1][1]"),
        ({"a": {"b": [0, object()]}}, "rows['a']['b'][1]"),
        ({("k", 1): object()}, "rows[('k', 1)]"),
        ({"a": 1, Plain(1): 2}, "a key of rows"),
        ({(1, Plain(1)): 2}, "a key of rows[1]"),
        ({frozenset((Plain(1),)): 2}, "a key of rows[0]"),
        ([{1: 2}, {object()}], "rows[1][0]"),
        ({10**5000: object()}, "rows[<int>]"),
        ({"x" * 100: object()}, f"rows['{'x' * 39}]"),
    ],
)
def test_the_path_is_named(value: Any, path: str) -> None:
    assert message(value, "rows").startswith(f"{path} is of type ")


def test_a_key_without_a_repr() -> None:
    assert message({Unprintable(): 1}).startswith("a key of the value is of type Unprintable")


def test_the_first_problem_is_named() -> None:
    assert message([1, iter([]), object()]).startswith("the value[1]")


def deep(depth: int, kind: str) -> Any:
    value: Any = 0
    for _ in range(depth):
        match kind:
            case "list":
                value = [value]
            case "tuple":
                value = (value,)
            case "frozenset":
                value = frozenset((value,))
            case "dict":
                value = {"k": value}
    return value


@pytest.mark.parametrize("kind", ["list", "tuple", "frozenset", "dict"])
def test_nesting_ends_at_the_limit(kind: str) -> None:
    encode(deep(MAX_DEPTH, kind))
    assert f"nested more than {MAX_DEPTH} levels deep" in message(deep(MAX_DEPTH + 1, kind))
    # Far beyond the interpreter's own stack.
    assert "levels deep" in message(deep(5000, kind))


def cyclic_list() -> Any:
    value: list[Any] = [1]
    value.append(value)
    return value


def cyclic_dict() -> Any:
    value: dict[str, Any] = {}
    value["self"] = [value]
    return value


def cycle_through_a_tuple() -> Any:
    value: list[Any] = []
    value.append((value, value))
    return value


@pytest.mark.parametrize("make", [cyclic_list, cyclic_dict, cycle_through_a_tuple])
def test_what_contains_itself(make: Any) -> None:
    assert "or contains itself" in message(make())


def test_size_is_limited_and_named() -> None:
    large = "x" * (MAX_VALUE_BYTES + 1)
    text = message(large, "the result of rows")
    assert re.match(r"the result of rows: 1,048,58\d bytes .* 1,048,576", text)
    assert "the value: 12 bytes" in message("x" * 11, size=10)
    encode("x" * 9, size=10)
