"""A machine for the BPF of seccomp: it judges filters for processors that are not here."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

INSTRUCTION = struct.Struct("<HBBI")


def run(code: bytes, data: bytes) -> int:
    """Return the action that a filter takes for a ``struct seccomp_data``."""
    program = list(INSTRUCTION.iter_unpack(code))
    accumulator = at = 0
    tests: dict[int, Callable[[int, int], bool]] = {
        0x15: lambda a, k: a == k,
        0x25: lambda a, k: a > k,
        0x35: lambda a, k: a >= k,
        0x45: lambda a, k: bool(a & k),
    }
    while True:
        operation, if_true, if_false, k = program[at]
        at += 1
        match operation:
            case 0x20:
                assert k % 4 == 0
                (accumulator,) = struct.unpack_from("<I", data, k)
            case 0x54:
                accumulator &= k
            case 0x05:
                at += k
            case 0x06:
                return int(k)
            case _:
                at += if_true if tests[operation](accumulator, k) else if_false


def seccomp_data(arch: int, number: int, arguments: tuple[int, ...] = ()) -> bytes:
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    return struct.pack("<iIQ6Q", number if number < 2**31 else number - 2**32, arch, 0, *padded)
