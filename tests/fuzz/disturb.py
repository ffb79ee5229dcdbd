"""Ways to spoil frames: their order, their fields, their bytes, and where they are cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from tests.fuzz.payloads import LEAVES, Raw, pack, payload

if TYPE_CHECKING:
    from random import Random

NUMBERS: Final = (0, 1, -1, 2, 2**31, 2**31 + 1, 2**53, 2**53 + 1, 2**63, 2**64 - 1, -(2**63))
THINGS: Final[tuple[Any, ...]] = (None, True, 1.5, float("nan"), "", "a", "x" * 1001, b"", [], {})


def order(random: Random, frames: list[bytes]) -> list[bytes]:
    """Double, drop, swap or spoil a frame or two, mostly late ones: the first error is the last."""
    frames = list(frames)
    for _ in range(random.choice((1, 1, 2, 4))):
        if not frames:
            break
        place = min(random.randrange(2 * len(frames)), len(frames) - 1)
        kind = random.randrange(6)
        if kind == 0:
            frames.insert(place, frames[place])
        elif kind == 1:
            del frames[place]
        elif kind == 2:
            other = random.randrange(len(frames))
            frames[place], frames[other] = frames[other], frames[place]
        elif kind == 3:
            frames[place] = in_bytes(random, frames[place])
        else:
            frames[place] = in_fields(random, frames[place])
    return frames


def in_fields(random: Random, frame: bytes) -> bytes:
    """Put something else into a field, add one or leave one out."""
    try:
        fields = msgspec.msgpack.decode(frame)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return frame
    if not isinstance(fields, list) or not fields:
        return frame
    place = random.randrange(len(fields))
    kind = random.randrange(8)
    if kind == 0:
        del fields[place]
    elif kind == 1:
        fields.insert(place, _thing(random))
    elif isinstance(fields[place], list) and fields[place] and kind < 5:
        fields[place][random.randrange(len(fields[place]))] = _thing(random)
    else:
        fields[place] = _thing(random)
    return pack(fields)


def in_bytes(random: Random, data: bytes) -> bytes:
    """Flip bits; cut, double or insert bytes."""
    spoilt = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 5))):
        place = random.randrange(len(spoilt) + 1)
        kind = random.randrange(5)
        if kind == 0:
            del spoilt[place:]
        elif kind == 1 and place < len(spoilt):
            spoilt[place] ^= 1 << random.randrange(8)
        elif kind == 2:
            spoilt[place:place] = spoilt[place : place + random.randrange(20)]
        elif kind == 3:
            spoilt[place:place] = random.choice(LEAVES)
        else:
            del spoilt[place : place + random.randrange(5)]
    return bytes(spoilt)


def pieces(random: Random, framed: list[bytes]) -> list[bytes]:
    """Let the stream arrive in other pieces, one of them perhaps with a wrong length."""
    stream = bytearray(b"".join(framed))
    if random.random() < 0.3:
        length = random.choice((0, 1, 2**21, 2**21 + 2**16, 2**21 + 2**16 + 1, 2**32 - 1))
        stream[:4] = length.to_bytes(4, "big")
    size = random.choice((1, 3, 7, 50, 1000, 65536))
    size = max(size, len(stream) // 200)
    return [bytes(stream[at : at + size]) for at in range(0, len(stream), size)]


def _thing(random: Random) -> Any:
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(NUMBERS)
    if kind == 1:
        return random.choice(THINGS)
    data = payload(random)
    return Raw(data or b"\xc0") if kind == 2 else data
