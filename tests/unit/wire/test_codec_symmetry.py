"""What one side writes the other reads, and what one side reads it can also write."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doublevm.wire.codec import MAX_DEPTH, CodecError, decode, encode
from tests.monitor.crossing import EXAMPLES, same

if TYPE_CHECKING:
    from collections.abc import Callable


class Level(IntEnum):
    HIGH = 3


class Text(str):
    __slots__ = ()


WRAPS: dict[str, Callable[[Any], Any]] = {
    "list": lambda value: [value],
    "tuple": lambda value: (value,),
    "dict": lambda value: {"a": value},
    "dict-of-ints": lambda value: {1: value},
    "frozenset": lambda value: frozenset((value,)),
}
CONTAINERS = (list, tuple, dict, set, frozenset)
LEAVES = [*(value for value in EXAMPLES if not isinstance(value, CONTAINERS)), Level.HIGH, Text("")]


def nested(depth: int, wrap: str, inner: Any = 1) -> Any:
    for _ in range(depth):
        inner = WRAPS[wrap](inner)
    return inner


@pytest.mark.parametrize("value", EXAMPLES, ids=lambda value: type(value).__name__)
def test_examples_come_back_as_they_were(value: Any) -> None:
    assert same(decode(encode(value)), value)


@pytest.mark.parametrize("wrap", WRAPS)
def test_what_is_no_container_does_not_count_as_depth(wrap: str) -> None:
    for leaf in LEAVES:
        deepest = encode(nested(MAX_DEPTH, wrap, leaf))
        assert encode(decode(deepest)) == deepest
        with pytest.raises(CodecError, match="is nested more than 64 levels deep"):
            encode(nested(MAX_DEPTH + 1, wrap, leaf))


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1a"], ids=["list", "dict"])
def test_reading_goes_as_deep_as_writing(opening: bytes) -> None:
    decode(opening * MAX_DEPTH + b"\x01")
    with pytest.raises(CodecError, match="nested more than 64 levels deep"):
        decode(opening * (MAX_DEPTH + 1) + b"\x01")


@settings(deadline=None)
@given(st.lists(st.one_of(st.text(), st.integers(), st.tuples(st.text())), unique=True))
def test_equal_sets_have_equal_bytes(members: list[Any]) -> None:
    """Whatever order they were made in: hashes of records depend on it."""
    for kind in (set, frozenset):
        assert encode(kind(members)) == encode(kind(reversed(members)))


EXTENSIONS = st.builds(
    lambda code, data: b"\xc7" + bytes((len(data), code)) + data,
    st.integers(0, 13),
    st.one_of(
        st.binary(max_size=40),
        st.text("0123456789 -+:.eENaInT", max_size=20).map(str.encode),
        st.sampled_from([encode(value) for value in EXAMPLES if len(encode(value)) < 200]),
    ),
)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=60), EXTENSIONS, EXTENSIONS.map(lambda data: b"\x91" + data)))
def test_what_hostile_bytes_give_can_go_on(data: bytes) -> None:
    try:
        value = decode(data)
    except CodecError:
        return
    again = encode(value)
    assert encode(decode(again)) == again
