"""The frames between the host and its zygote, which pairs are forked from.

One request at a time, and one answer to each: a number tells answers to requests that were given up
on from the one that is waited for. Descriptors travel beside ``Spawn`` and ``Spawned``.
"""

from __future__ import annotations

from typing import Literal

from doublevm.wire.frames import Frame, Name, Number, frame_decoder

Weakest = Literal[0, 1, 2, 3, 4]
"""A rung of confinement."""

# --- host to zygote ---------------------------------------------------------------------------


class Spawn(Frame, frozen=True, tag="spawn"):
    """Fork a pair, which speaks through the two descriptors that come with this frame."""

    number: Number
    cpython: Weakest | None
    """The weakest rung of confinement that guests may run on cpython with; None if none will."""
    missing: dict[Name, str] | None
    """Mechanisms of confinement that do not work here; None for what the zygote has found out."""


class Warm(Frame, frozen=True, tag="warm"):
    """Load now what later pairs need, and answer when it is done."""

    number: Number


class AskStatus(Frame, frozen=True, tag="ask_status"):
    """Tell how a parent VM ended that has ended."""

    number: Number
    pid: Number


# --- zygote to host ---------------------------------------------------------------------------


class Spawned(Frame, frozen=True, tag="spawned"):
    """The pair lives. Where there are pidfds, one of its parent VM comes with this frame."""

    number: Number
    pid: Number
    """The parent VM's, as the zygote sees it."""


class Unspawned(Frame, frozen=True, tag="unspawned"):
    """There is no pair: the kernel refused."""

    number: Number
    message: str


class Warmed(Frame, frozen=True, tag="warmed"):
    """Everything is loaded."""

    number: Number


class Status(Frame, frozen=True, tag="status"):
    """How it ended."""

    number: Number
    status: int | None
    """Its exit status, or the negative number of the signal that killed it; None if nobody knows
    any more."""


decode_to_zygote = frame_decoder(Spawn | Warm | AskStatus)
decode_from_zygote = frame_decoder(Spawned | Unspawned | Warmed | Status)
