"""The frames between host and parent VM: typed, strict MessagePack arrays.

Values of guest and host (arguments, results) stay encoded inside a frame, so that each hop
decides for itself whether to decode them (see ``codec``). Which frame may come when is the
grammar's business (see ``grammar``).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from doublevm.operation import ToolSpec
from doublevm.wire.base import EngineChoice, EngineName, Frame, Line, Name, Number
from doublevm.wire.guard_frames import Check, Checked, Guarding, Read
from doublevm.wire.score_frames import Decided, Scored, Scoring

__all__ = [
    "Check",
    "Checked",
    "Decided",
    "EngineChoice",
    "EngineName",
    "Frame",
    "Guarding",
    "Line",
    "Name",
    "Number",
    "Read",
    "Scored",
    "Scoring",
]
"""What is defined elsewhere, and found here beside the other frames."""

VERSION: Final = 2
"""Version of this protocol; both ends must speak the same."""

Stream = Literal["stdout", "stderr"]


# --- host to parent ---------------------------------------------------------------------------


class Expression(Frame, frozen=True):
    """A regular expression, to be compiled again."""

    pattern: str
    flags: Number


class Detector(Frame, frozen=True):
    """A pattern of the host's own; ``function`` is pickled by value."""

    id: Name
    description: str
    function: bytes


class Validation(Frame, frozen=True):
    """ParentValidation, for the way to the parent VM. See there for the fields."""

    validate_operation_names: bool
    allowed_operation_pattern: Expression | None
    blocked_operation_patterns: tuple[Expression, ...]
    max_operations_per_second: Number
    on_rate_limit: Literal["deny", "wait"]
    block_suspicious_sequences: bool
    suspicious_patterns: tuple[Detector, ...]
    disabled_patterns: tuple[str, ...]
    sequence_window: float
    rapid_enumeration_threshold: Number
    rapid_enumeration_window: float
    rapid_enumeration_overrides: dict[str, Number]


class Configure(Frame, frozen=True, tag="configure", kw_only=True):
    """First frame of a pair's life: what this enclave's parent VM must know."""

    version: int
    tools: tuple[ToolSpec, ...]
    catch_all: bool
    """Whether the host has a handler for names it did not register."""
    engines: dict[EngineName, Literal[0, 1, 2, 3, 4]]
    """What to have ready, each with the weakest rung of confinement that it may run on: none other
    can be started once the parent VM is sealed."""
    monty_binary: str | None
    """Where the monty worker is installed."""
    memory: Number
    """Bytes that a guest may take: what runs say again, for what has to be set before the first."""
    frozen_clocks: bool
    """Whether guests on monty see the time of their run's start, for as long as they run."""
    validation: Validation | None
    """What is judged; None if judging is switched off."""
    guard: Guarding | None
    """What a program may contain; None if that is not looked at."""
    scoring: Scoring | None
    """How programs are scored; None if they are not."""


class Remembered(Frame, frozen=True):
    """One operation that was judged."""

    name: str
    args: bytes
    timestamp: float
    allowed: bool


class Renew(Frame, frozen=True, tag="renew"):
    """Forget every operation and guest: what follows is another conversation."""


class Remember(Frame, frozen=True, tag="remember"):
    """Operations that an earlier pair of this enclave has judged, oldest first."""

    entries: tuple[Remembered, ...]


class RunLimits(Frame, frozen=True):
    """The limits of one run, every field set."""

    timeout: float
    memory: int
    max_tool_calls: int
    max_output_bytes: int
    max_prints: int
    max_denied: int


class Run(Frame, frozen=True, tag="run"):
    """Run a program in a fresh guest, or in the session's guest."""

    run: Number
    source: str
    inputs: bytes
    engine: EngineChoice
    session: bool
    """Whether the guest is kept for the next run, and taken from the last one."""
    full_traceback: bool
    limits: RunLimits
    score: bool = False
    """Whether the program is to be scored: there is a gate, and the host does not know already."""


class Returned(Frame, frozen=True, tag="returned"):
    """A handler's result."""

    run: Number
    call: Number
    value: bytes


class Raised(Frame, frozen=True, tag="raised"):
    """A handler's exception, as the nearest builtin type and its message."""

    run: Number
    call: Number
    type_name: Name
    message: str


class Refused(Frame, frozen=True, tag="refused"):
    """The host denied what the parent VM let through; ``message`` is the line the guest sees."""

    run: Number
    call: Number
    message: str


class EndSession(Frame, frozen=True, tag="end_session"):
    """Discard the session's guest."""


# --- parent to host ---------------------------------------------------------------------------


class Ready(Frame, frozen=True, tag="ready"):
    """The parent VM is configured and sealed."""

    version: int
    missing: dict[Name, str]
    """Mechanisms of confinement that are not in force, with the reasons."""
    engines: tuple[EngineName, ...]
    """Those that are ready."""


class Unconfined(Frame, frozen=True, tag="unconfined"):
    """A mechanism that works here has failed: the parent VM ends."""

    message: str


class Started(Frame, frozen=True, tag="started"):
    """The guest's clock begins to run."""

    run: Number
    engine: EngineName


class Call(Frame, frozen=True, tag="call"):
    """An operation that was allowed. ``args`` is an encoded dict."""

    run: Number
    call: Number
    operation: Name
    args: bytes
    concurrent: bool
    """Whether the guest goes on before the answer has come."""
    line: Line = 0
    """The program's line that called, as the inner VM says; 0 if it is not known."""


class Denied(Frame, frozen=True, tag="denied"):
    """An operation that was denied, for the record. ``args`` is encoded."""

    run: Number
    call: Number
    operation: Name
    args: bytes
    barrier: Name
    rule: Name
    reason: str
    line: Line = 0
    """As in Call."""


class Output(Frame, frozen=True, tag="output"):
    """Something the guest printed."""

    run: Number
    stream: Stream
    text: Annotated[str, Meta(min_length=1)]


class Usage(Frame, frozen=True):
    """What a run used, as far as the parent can tell."""

    cpu_time: float
    """Seconds of CPU of the inner VM."""
    peak_memory: int
    """Bytes the inner VM's process had resident at most, its interpreter included."""


class Done(Frame, frozen=True, tag="done"):
    """The program ended; ``value`` is encoded."""

    run: Number
    value: bytes
    usage: Usage
    spent: bool = False
    """Whether this pair can run no other program."""


class Failed(Frame, frozen=True, tag="failed"):
    """The program was refused, stopped, or ended by an exception."""

    run: Number
    code: Name
    message: str
    usage: Usage
    type_name: Name = ""
    line: Line = 0
    traceback: str = ""
    call: Number | None = None
    """The denied call whose denial left the program, if that is what happened."""
    spent: bool = False
    """As in Done."""


class Broken(Frame, frozen=True, tag="broken"):
    """The inner VM, or the engine's start, failed; the guest's answer is unknown."""

    run: Number
    kind: Literal["crashed", "unavailable", "protocol"]
    message: str
    frame: Name = ""


HostFrame = (
    Configure | Renew | Remember | Run | Check | Decided | Returned | Raised | Refused | EndSession
)
ParentFrame = (
    Ready
    | Unconfined
    | Read
    | Checked
    | Scored
    | Started
    | Call
    | Denied
    | Output
    | Done
    | Failed
    | Broken
)


class FrameError(ValueError):
    """Bytes are not a frame, or a frame may not come now."""

    def __init__(self, frame: str, message: str) -> None:
        """``frame`` is the frame's name, or ``"bytes"``."""
        super().__init__(message)
        self.frame = frame


_encode = msgspec.msgpack.Encoder().encode


def encode_frame(frame: msgspec.Struct) -> bytes:
    """Return the frame as bytes, without the length that goes before it."""
    return _encode(frame)


def frame_decoder(kinds: Any) -> Any:
    """Return a function that decodes bytes to one of ``kinds`` or raises FrameError."""
    decode = msgspec.msgpack.Decoder(kinds).decode

    def decode_frame(data: bytes) -> Any:
        try:
            return decode(data)
        # The bytes are hostile: wrong types, bad text, nesting beyond the stack.
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise FrameError("bytes", f"not a frame: {error}") from None

    return decode_frame


decode_host_frame = frame_decoder(HostFrame)
decode_parent_frame = frame_decoder(ParentFrame)


def frame_name(frame: Any) -> str:
    """Return the frame's name on the wire."""
    return str(frame.__struct_config__.tag)
