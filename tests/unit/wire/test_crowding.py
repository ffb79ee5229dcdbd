"""A guest that knows how Python hashes cannot keep anybody busy with it."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from doublevm.wire.codec import DICT, FROZENSET, SET, CodecError, decode, encode
from doublevm.wire.crowding import MAX_EQUAL_HASHES, SMALL

PRIME = 2**61 - 1
MANY = 50_000
EACH_MAKER = pytest.mark.parametrize("kind", ["set", "frozenset", "dict", "map", "tuples as keys"])

pack = msgspec.msgpack.encode


def crowd(count: int) -> list[int]:
    """Return ints that differ, and have one hash."""
    return [PRIME * (8 + n) for n in range(count)]


def payload(kind: str, count: int) -> bytes:
    size = count.to_bytes(4, "big")
    keys = [pack(msgspec.msgpack.Ext(1, n.to_bytes(10, "big", signed=True))) for n in crowd(count)]
    if kind == "tuples as keys":
        keys = [b"\x91" + key for key in keys]
    if kind in ("map", "tuples as keys"):
        return b"\x91\xdf" + size + b"".join(key + b"\xc0" for key in keys)
    if kind == "dict":
        pairs = b"".join(b"\x92" + key + b"\xc0" for key in keys)
        return pack(msgspec.msgpack.Ext(DICT, b"\xdd" + size + pairs))
    code = SET if kind == "set" else FROZENSET
    return pack(msgspec.msgpack.Ext(code, b"\xdd" + size + b"".join(keys)))


@EACH_MAKER
def test_a_crowd_is_refused_at_once(kind: str) -> None:
    data = payload(kind, MANY)
    began = time.process_time()
    with pytest.raises(CodecError):
        decode(data)
    assert time.process_time() - began < 3  # twenty or more, if it were made


@EACH_MAKER
def test_within_containers_too(kind: str) -> None:
    inner = payload(kind, 1000)
    for outer in (
        b"\x91" + inner,
        b"\x81\xa1a" + inner,
        pack(msgspec.msgpack.Ext(2, b"\x91" + inner)),
    ):
        with pytest.raises(CodecError):
            decode(outer)


@pytest.mark.parametrize("make", [set, frozenset, dict.fromkeys], ids=["set", "frozenset", "dict"])
def test_a_crowd_cannot_be_sent_either(make: Any) -> None:
    assert decode(encode(make(crowd(MAX_EQUAL_HASHES)))) == make(crowd(MAX_EQUAL_HASHES))
    with pytest.raises(CodecError, match=r"^the value\['a'\] has more than 100 members"):
        encode({"a": make(crowd(MAX_EQUAL_HASHES + 1))})


@pytest.mark.parametrize(
    "value",
    [
        set(range(20_000)),
        {2**n for n in range(3000)},
        {n / 8 for n in range(20_000)},
        {(n, -n) for n in range(20_000)},
        {n: [n] for n in range(20_000)},
        {str(n): {"é": n} for n in range(20_000)},
        [{"a": n} for n in range(0xD000, 0xE000)],  # bytes that look like large maps
        {f"k{n}": n for n in range(SMALL)},
    ],
    ids=["ints", "powers", "floats", "tuples", "dict", "text", "signs", "map"],
)
def test_honest_ones_cross(value: Any) -> None:
    assert decode(encode(value)) == value
