"""The monitor's state as bytes: versioned, limited in size, checked when read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from doublevm.history import OperationHistoryEntry
from doublevm.wire.codec import CodecError, decode
from doublevm.wire.frames import Remembered

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION: Final = 1

MAX_STATE_BYTES: Final = 32 * 1024 * 1024
"""Most that is read. A history is limited to half of it."""

_MAGIC: Final = b"doublevm-monitor\x00"


class StateError(ValueError):
    """Bytes are not a monitor's state; the message says why."""


class _State(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    attempts: int
    max_tool_calls: int
    now: float
    entries: tuple[Remembered, ...]


_decode = msgspec.msgpack.Decoder(_State).decode


def encode_state(
    entries: Iterable[OperationHistoryEntry], attempts: int, max_tool_calls: int, now: float
) -> bytes:
    """Return the state as bytes."""
    kept = tuple(map(to_wire, entries))
    state = _State(VERSION, attempts, max_tool_calls, now, kept)
    return _MAGIC + msgspec.msgpack.encode(state)


def decode_state(data: bytes) -> tuple[list[OperationHistoryEntry], int, int, float]:
    """Return entries, attempts and budget of the run, and the time of the last judgement.

    Raises:
        StateError: the bytes are no state of this version, or too large.
    """
    if len(data) > MAX_STATE_BYTES:
        raise StateError(f"a state of {len(data):,} bytes; {MAX_STATE_BYTES:,} are read at most")
    if not data.startswith(_MAGIC):
        raise StateError("these bytes are not a monitor's state")
    try:
        state = _decode(data[len(_MAGIC) :])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StateError(f"the monitor's state is damaged: {error}") from None
    if state.version != VERSION:
        raise StateError(f"the monitor's state has version {state.version}, not {VERSION}")
    entries = from_wire(state.entries)
    last = entries[-1].timestamp if entries else float("-inf")
    if state.attempts < 0 or not last <= state.now < float("inf"):
        raise StateError("the monitor's state is damaged: its numbers cannot be")
    return entries, state.attempts, state.max_tool_calls, state.now


def to_wire(entry: OperationHistoryEntry) -> Remembered:
    """Return an entry as it crosses."""
    return Remembered(entry.name, entry.encoded_args, entry.timestamp, entry.allowed)


def from_wire(entries: Iterable[Remembered]) -> list[OperationHistoryEntry]:
    """Return entries that crossed.

    Raises:
        StateError: their times go backwards, or arguments are damaged.
    """
    made = []
    last = float("-inf")
    for entry in entries:
        # Written so that a NaN fails, too.
        if not last <= entry.timestamp < float("inf"):
            raise StateError("the monitor's state is damaged: its times are out of order")
        last = entry.timestamp
        try:
            arguments = decode(entry.args)
        except CodecError as error:
            raise StateError(f"the monitor's state is damaged: {error}") from None
        if not isinstance(arguments, dict):
            raise StateError("the monitor's state is damaged: arguments that are not a dict")
        made.append(OperationHistoryEntry(entry.name, entry.args, entry.timestamp, entry.allowed))
    return made
