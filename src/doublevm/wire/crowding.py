"""Keeps sets and dicts from being made of members that all have one hash.

To make such a set takes the square of their number, in one step of the interpreter that no other
thread gets a turn in; and a guest can choose ints, and what is made of them, by their hash. 16,000
in 200 KB were measured to take 1.4 s. Text and bytes are hashed with a secret that all VMs of a
host share: who has read it still has to search for each text by trying.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_EQUAL_HASHES: Final = 100
"""Most members of a set, or keys of a dict, that may share one hash. Honest ones hardly ever do:
of the first 3,000 powers of two, 50."""

SMALL: Final = 4096
"""Bytes in which there is no room for harm."""

_MAP_16, _MAP_32 = b"\xde", b"\xdf"
_MAP_HEADS: Final = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))
_ARRAY_HEADS: Final = frozenset((*range(0x90, 0xA0), 0xDC, 0xDD))
_decode_map: Final = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
_decode_array: Final = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


def crowded(members: Collection[Any]) -> bool:
    """Whether too many share a hash.

    Raises:
        TypeError: one has none.
    """
    if len(members) <= MAX_EQUAL_HASHES:
        return False
    return max(Counter(map(hash, members)).values()) > MAX_EQUAL_HASHES


def with_text_keys(payload: bytes) -> bytes:
    """Return an encoded value once all its large maps have keys of text, as all that we write have.

    msgspec makes its dicts before anybody can count, of arrays as keys (which become tuples) and of
    our own types. To look at each part of a value is slow, and so it is saved where the payload is
    small or has no sign of a map with 16 keys or more.

    Raises:
        MsgspecError: a key is no text, or it is no MessagePack.
    """
    if len(payload) < SMALL or (_MAP_16 not in payload and _MAP_32 not in payload):
        return payload
    left: list[Any] = [payload]
    while left:
        part = memoryview(left.pop())
        head = part[0]
        if head in _MAP_HEADS:
            left += _decode_map(part).values()
        elif head in _ARRAY_HEADS:
            left += _decode_array(part)
    return payload
