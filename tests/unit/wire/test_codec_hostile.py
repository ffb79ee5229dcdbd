"""Hostile bytes: decoding gives a value or a CodecError, within its limits, and nothing else."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from doublevm.wire import codec
from doublevm.wire.codec import MAX_DEPTH, MAX_VALUE_BYTES, CodecError, decode, encode
from tests.unit.wire.values import VALUES

Ext = msgspec.msgpack.Ext
pack = msgspec.msgpack.Encoder().encode

CODES = range(-1, 20)


def decoded_or_refused(payload: bytes) -> None:
    """The whole contract. What was decoded can be sent on, or is refused on its way out."""
    try:
        value = decode(payload)
    except CodecError:
        return
    try:
        encode(value, size=10 * MAX_VALUE_BYTES)
    except CodecError as error:
        assert "deep" in str(error)  # noqa: PT017 - both outcomes are right


@settings(max_examples=300)
@given(st.binary(max_size=300))
@example(b"")
@example(b"\xc1")
@example(b"\xdf\xff\xff\xff\xff")
@example(b"\xdd\xff\xff\xff\xff\x00")
@example(b"\xc6\xff\xff\xff\xff")
@example(b"\xd9\xff")
@example(b"\xa1\xff")
@example(b"\x01\x02")
@example(b"\x81\x90\x01")
@example(b"\x81\x80\x01")
def test_any_bytes(payload: bytes) -> None:
    decoded_or_refused(payload)


@settings(max_examples=300)
@given(VALUES, st.data())
def test_mutated_bytes(value: Any, data: st.DataObject) -> None:
    payload = bytearray(encode(value))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(payload) - 1)) if payload else 0
        change = data.draw(st.sampled_from(["flip", "drop", "repeat", "insert"]))
        match change:
            case "flip" if payload:
                payload[place] ^= data.draw(st.integers(1, 255))
            case "drop":
                del payload[place : place + data.draw(st.integers(1, 5))]
            case "repeat":
                payload[place:place] = payload[place : place + 8]
            case "insert":
                payload[place:place] = data.draw(st.binary(max_size=6))
    decoded_or_refused(bytes(payload))


EXTENSIONS: st.SearchStrategy[Any] = st.recursive(
    st.builds(Ext, st.sampled_from(CODES), st.binary(max_size=30))
    | st.builds(Ext, st.sampled_from(CODES), st.text(max_size=30).map(str.encode))
    | st.none()
    | st.integers(0, 5),
    lambda inner: st.builds(
        Ext, st.sampled_from(CODES), st.lists(inner, max_size=3).map(pack)
    ) | st.lists(inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=300)
@given(EXTENSIONS)
def test_any_extension(value: Any) -> None:
    decoded_or_refused(pack(value))


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (codec.TUPLE, pack(1)), (codec.TUPLE, b""), (codec.SET, pack([[]])),
        (codec.SET, pack([{}])),
        (codec.DICT, pack([1])), (codec.DICT, pack([[1, 2, 3]])), (codec.DICT, pack([[[], 1]])),
        (codec.DICT, pack(5)), (codec.FROZENSET, pack(None)), (codec.TEXT, b"\xff\xff"),
        (codec.DATETIME, b""), (codec.DATETIME, b"0 yesterday"), (codec.DATETIME, b"0 2024-13-01"),
        (codec.DATETIME, b"0 2024-01-01T00:00:00+25:00"), (codec.DATETIME, b"\xff"),
        (codec.DATE, b"2024-02-30"), (codec.DATE, b"0000-01-01"), (codec.TIME, b"25:00"),
        (codec.TIMEDELTA, b"1 2"), (codec.TIMEDELTA, b"9999999999 0 0"),
        (codec.TIMEDELTA, b"a b c"),
        (codec.TIMEDELTA, b"1" * 5000 + b" 0 0"), (codec.DECIMAL, b"one"), (codec.DECIMAL, b""),
        (codec.UUID_, b"1234"), (codec.UUID_, b"\xff" * 32), (0, b""), (13, b""), (-1, b""),
        (-1, b"\xff" * 8), (127, b"x"),
    ],
)  # fmt: skip
def test_extensions_that_are_no_value(code: int, data: bytes) -> None:
    with pytest.raises(CodecError):
        decode(pack(Ext(code, data)))


def wrapped(depth: int, code: int | None) -> bytes:
    """Return so many containers in one another: plain arrays, or extensions."""
    payload = pack(0)
    for _ in range(depth):
        payload = b"\x91" + payload if code is None else pack(Ext(code, b"\x91" + payload))
    return payload


@pytest.mark.parametrize("code", [None, codec.TUPLE, codec.FROZENSET])
def test_nesting_ends_at_the_limit(code: int | None) -> None:
    decode(wrapped(MAX_DEPTH, code))
    for deeper in (MAX_DEPTH + 1, MAX_DEPTH + 2, 500, 5000):
        with pytest.raises(CodecError):
            decode(wrapped(deeper, code))


@pytest.mark.parametrize("payload", [b"\x91" * 100_000 + b"\x90", b"\x81\xa1k" * 100_000 + b"\x01"])
def test_nesting_far_beyond_the_stack(payload: bytes) -> None:
    with pytest.raises(CodecError):
        decode(payload)


def test_size_is_checked_before_anything_is_decoded() -> None:
    with pytest.raises(CodecError, match=r"1,048,577 bytes is more than"):
        decode(b"\xc1" * (MAX_VALUE_BYTES + 1))


def test_the_largest_payloads_take_no_time_to_speak_of() -> None:
    began = time.process_time()
    decode(b"\xdd" + (MAX_VALUE_BYTES - 5).to_bytes(4, "big") + b"\x90" * (MAX_VALUE_BYTES - 5))
    decode(pack(Ext(codec.BIGINT, b"\x7f" * (MAX_VALUE_BYTES - 6))))
    assert time.process_time() - began < 10


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=50))
def test_the_codec_keeps_no_state(payload: bytes) -> None:
    first = second = "no value"
    try:
        first = repr(decode(payload))
    except CodecError as error:
        first = str(error)
    try:
        second = repr(decode(payload))
    except CodecError as error:
        second = str(error)
    assert first == second
