"""The frames between the parent VM and a cpython inner VM.

The inner VM is hostile once guest code runs: the parent takes these frames as claims, never as
facts. It speaks in lockstep: after each frame of its own, but Print, it waits for an answer.
"""

from __future__ import annotations

from typing import Literal

from doublevm.wire.frames import Frame, Line, Name, Number, Stream, Usage, frame_decoder

# --- parent to inner --------------------------------------------------------------------------


class Start(Frame, frozen=True, tag="start"):
    """Run a program."""

    source: str
    inputs: bytes
    tools: tuple[str, ...]
    keep: bool
    """Whether another Start will follow: a session."""
    max_iterations: Number | None = None
    """Iterations of the program's loops that are counted out; None for no counting."""


class Value(Frame, frozen=True, tag="value"):
    """Answer to a call: its result, encoded."""

    value: bytes


class Error(Frame, frozen=True, tag="error"):
    """Answer to a call: an exception of a builtin type."""

    type_name: Name
    message: str


class Later(Frame, frozen=True, tag="later"):
    """Answer to a concurrent call: its result comes with a Settled."""


class Settled(Frame, frozen=True, tag="settled"):
    """Answer to a Wait: results that have come since, by call; none when time was up."""

    answers: dict[int, Value | Error]


# --- inner to parent --------------------------------------------------------------------------


class Prepared(Frame, frozen=True, tag="prepared"):
    """The process is sealed and waits for its first Start."""


class Attempt(Frame, frozen=True, tag="attempt"):
    """The guest calls a tool. ``args`` is an encoded list, ``kwargs`` an encoded dict."""

    call: Number
    operation: str
    args: bytes
    kwargs: bytes
    concurrent: bool
    problem: str = ""
    """Why the arguments cannot cross; args and kwargs are then empty."""
    line: Line = 0
    """The program's line that calls; 0 if it is not known."""


class Wait(Frame, frozen=True, tag="wait"):
    """Nothing goes on in the guest until an answer comes or ``seconds`` have passed."""

    seconds: float | None


class Print(Frame, frozen=True, tag="print"):
    """Something the guest printed."""

    stream: Stream
    text: str


class Finished(Frame, frozen=True, tag="finished"):
    """The program ended with this value, encoded."""

    value: bytes
    usage: Usage


class Ended(Frame, frozen=True, tag="ended"):
    """An exception left the program, or it does not compile, or its value cannot cross."""

    kind: Literal["syntax", "exception", "memory", "value", "iterations"]
    type_name: Name
    message: str
    line: Line
    traceback: str
    usage: Usage


ToInner = Start | Value | Error | Later | Settled
FromInner = Prepared | Attempt | Wait | Print | Finished | Ended

decode_to_inner = frame_decoder(ToInner)
decode_from_inner = frame_decoder(FromInner)
