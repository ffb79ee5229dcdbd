"""Encoded values that a VM might send to do harm, and ones that fit the tools of ``tools.py``.

Everything is made of bytes: a hostile VM is not bound to what an encoder would write.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from doublevm.wire.codec import DICT, FROZENSET, MAX_DEPTH, SET, TUPLE, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

pack: Final[Callable[[Any], bytes]] = msgspec.msgpack.Encoder().encode
Ext: Final = msgspec.msgpack.Ext
Raw: Final = msgspec.Raw

RARE: Final = 0.02
"""How often what takes long is made."""

PRIME: Final = 2**61 - 1
"""Python's hash of an int is its remainder by this."""

LEAVES: Final[tuple[bytes, ...]] = (
    *map(pack, (None, True, False, 0, -1, 2**63, 2**64 - 1, -(2**63), 2**53 + 1, 1.5, -0.0)),
    *map(pack, (float("nan"), float("inf"), -float("inf"), 5e-324, "", "a", "é\0", b"", b"\xff")),
    *map(pack, ("__class__", "x" * 1001, "\u202e", "\N{GRINNING FACE}" * 70, b"\0" * 300)),
    b"\xa3\xed\xa0\x80",  # a lone surrogate as text
    b"\xa2\xc3\x28",  # no UTF-8 at all
    b"\xc1",  # a byte that MessagePack does not have
    b"\xdb\xff\xff\xff\xff",  # four gigabytes of text, of arrays, of pairs, of bytes
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01",
    b"",
)

EXTENSIONS: Final[tuple[tuple[int, bytes], ...]] = (
    (1, b""), (1, b"\x80"), (1, b"\0" * 40), (1, b"\x7f" + b"\xff" * 2000), (1, b"\x80" * 300),
    (6, b"text"), (6, b"\xed\xa0\x80"), (6, b"\xff"),
    (7, b"0 2024-01-31T12:00:00"), (7, b"1 9999-12-31T23:59:59.999999+23:59"),
    (7, b"0 0001-01-01T00:00:00+23:59"), (7, b"2024"), (7, b"0 20240131"), (7, b"\xff 2024-01-01"),
    (8, b"2024-02-29"), (8, b"20240229"), (8, b"2024-W01-1"), (8, b"0000-00-00"), (8, b""),
    (9, b"0 23:59:59.999999"), (9, b"1 00:00-12:34:56.789"), (9, b"0 24:00"), (9, b"0 T12"),
    (10, b"1 2 3"), (10, b"999999999 86399 999999"), (10, b"1000000000 0 0"),
    (10, b"9" * 5000 + b" 0 0"), (10, b"1_0 +1 -0"), (10, b"1 2"), (10, b"nan 0 0"),
    (11, b"1.10"), (11, b"sNaN"), (11, b"-NaN123"), (11, b"Infinity"),
    (11, b"1E+999999999999999999"), (11, b"1e9999999999999999999999"), (11, b"9" * 5000),
    (11, b" 1_0 "), (11, b"\xd9\xa1"),
    (12, b"12345678123456781234567812345678"), (12, b"{urn:uuid:12345678123456781234567812345678}"),
    (12, b"no"), (-1, b"\0\0\0\0"), (-1, b"\xff" * 8), (-1, b"\xff" * 12), (-1, b"x"),
    (0, b""), (13, b"\xc0"), (99, b"?"), (127, b""), (-128, b""),
    (TUPLE, b"\x90"), (SET, b"\xc0"), (FROZENSET, b"\x81\x01\x01"), (DICT, b"\x91\x93\x01\x02\x03"),
    (SET, b"\x92\x90\x80"), (DICT, b"\x91\x92\x80\x01"), (TUPLE, b""), (SET, b"\xa3abc"),
    (DICT, b"\x92\xa2ab\xa2cd"), (SET, b"\x91\xc7\x04\x0bsNaN"),
)  # fmt: skip

FITTING: Final[tuple[tuple[str, list[Any], dict[str, Any]], ...]] = (
    ("echo", [1], {}),
    ("echo", [], {"value": {"a": [1.5, None, "é"], 2: {3, 4}}}),
    ("add", [1, 2], {}),
    ("add", [], {"a": -(10**30), "b": 7}),
    ("add", [1], {"kind": "slow"}),
    ("notes:add", ["title"], {"tags": ["x", "y"]}),
    ("notes:add", [], {"title": "t", "tags": None, "person": {"name": "Zoë", "age": 3}}),
    ("pay", [Decimal("1.10"), dt.date(2024, 2, 29)], {}),
    ("pay", [], {"amount": Decimal("NaN"), "day": dt.date(1, 1, 1), "rates": {"a": 1.5, "b": 2}}),
    ("users:list", [], {}),
    ("users:delete", [1], {}),
    ("files:export", [b"\0\xff"], {}),
    ("anything", [1], {"x": 2}),
)
"""Calls as an honest guest makes them; the last is for a host with a handler for all names."""


def payload(random: Random, *, depth: int = 0) -> bytes:
    """Return a value as bytes, more or less well formed."""
    kind = random.randrange(12)
    if kind < 4 or depth > 4:
        return random.choice(LEAVES)
    if kind < 7:
        return pack(Ext(*random.choice(EXTENSIONS)))
    if kind == 7:
        return random.choice(_HUGE)(random)
    items = [payload(random, depth=depth + 1) for _ in range(random.choice((0, 1, 1, 2, 3, 8)))]
    return _container(random, items)


def _container(random: Random, items: list[bytes]) -> bytes:
    count, body = len(items), b"".join(items)
    if random.random() < 0.05:
        count = max(0, count + random.choice((-1, 1)))
    kind = random.randrange(7)
    if kind == 0:  # a map with keys of all kinds, arrays and extensions among them
        return bytes([0x80 | count // 2]) + body
    if kind == 1:
        named = [pack(random.choice("abcdefgh")) + item for item in items]
        return bytes([0x80 | count]) + b"".join(named)
    array = bytes([0x90 | count]) + body
    return array if kind < 4 else pack(Ext(random.choice((TUPLE, SET, FROZENSET, DICT)), array))


def _deep_arrays(random: Random) -> bytes:
    count = random.choice((MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 500, 10_000))
    return random.choice((b"\x91", b"\x81\xa1a", b"\xdd\0\0\0\x01")) * count + b"\x90"


def _deep_tuples(random: Random) -> bytes:
    value, codes = b"\x90", (TUPLE, FROZENSET) if random.random() < 0.5 else (TUPLE,)
    for _ in range(random.choice((10, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 300))):
        value = b"\x91" + pack(Ext(random.choice(codes), value))
    return value


def _deep_keys(random: Random) -> bytes:
    """Maps within keys of maps: a key that is an array becomes a tuple."""
    count = random.choice((5, MAX_DEPTH, 1000))
    return b"\x81\x91" * count + b"\x01" + b"\x01" * count


def _long(random: Random) -> bytes:
    count = random.choice((255, 255, 1000, 1000, 5000))
    item = random.choice((b"\x90", b"\x80", b"\xc0", pack(Ext(8, b"20240101")), b"\x81\x90\x90"))
    return b"\xdd" + count.to_bytes(4, "big") + item * count


def _terse(random: Random) -> bytes:
    """Dates without hyphens: what we would make of a megabyte of them is longer."""
    count = 90_000 if random.random() < 2 * RARE else 300
    return b"\xdd" + count.to_bytes(4, "big") + pack(Ext(8, b"20240101")) * count


def _wide_text(random: Random) -> bytes:
    return pack(random.choice(("x", "é", "\0")) * random.choice((300, 4000, 4000, 100_000)))


def colliding(count: int) -> list[bytes]:
    """Return encoded ints that differ, and have one hash."""
    return [pack(Ext(1, (PRIME * (n + 8)).to_bytes(12, "big", signed=True))) for n in range(count)]


def _colliding(random: Random) -> bytes:
    keys = colliding(30_000 if random.random() < RARE else random.choice((20, 300)))
    count, kind = len(keys).to_bytes(4, "big"), random.randrange(3)
    if kind == 0:
        return b"\xdf" + count + b"".join(key + b"\xc0" for key in keys)
    if kind == 1:
        return pack(Ext(DICT, b"\xdd" + count + b"".join(b"\x92" + key + b"\xc0" for key in keys)))
    return pack(Ext(random.choice((SET, FROZENSET)), b"\xdd" + count + b"".join(keys)))


_HUGE: Final = (_deep_arrays, _deep_tuples, _deep_keys, _long, _terse, _wide_text, _colliding)


def arguments(random: Random, args: list[Any], kwargs: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return a list and a dict of arguments, of which one may have a hostile value among them."""
    if random.random() < 0.5:
        return encode(args), encode(kwargs)
    hostile = Raw(payload(random))
    if args and random.random() < 0.5:
        raws = [Raw(encode(arg)) for arg in args]
        raws[random.randrange(len(raws))] = hostile
        return pack(raws), encode(kwargs)
    named = {name: Raw(encode(value)) for name, value in kwargs.items()}
    named[random.choice((*(*kwargs,) * 4, "extra", "", "self", "x" * 300))] = hostile
    return encode(args), pack(named)
