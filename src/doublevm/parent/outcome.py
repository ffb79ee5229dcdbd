"""How a run ended, in the words of the frames that tell the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from doublevm.engines.choice import lacking_in_monty
from doublevm.errors import ErrorCode
from doublevm.parent.watchdog import Stop
from doublevm.wire import frames as f

if TYPE_CHECKING:
    from doublevm.engines.base import Failed, Program
    from doublevm.parent.relay import Relay

MAX_MESSAGE: Final = 4000
MAX_TRACEBACK: Final = 64 * 1024
MAX_TYPE: Final = 200
"""Characters told to the host; a guest chooses how long its exceptions are."""

NO_USAGE: Final = f.Usage(0.0, 0)

_KINDS: Final = {
    "syntax": ErrorCode.VALIDATION_ERROR,
    "exception": ErrorCode.EXECUTION_ERROR,
    "memory": ErrorCode.MEMORY_LIMIT_EXCEEDED,
    "value": ErrorCode.EXECUTION_ERROR,
    "iterations": ErrorCode.MAX_ITERATIONS,
}

_LACKING_TYPES: Final = frozenset(
    ("NotImplementedError", "ModuleNotFoundError", "ImportError", "AttributeError", "NameError",
     "SyntaxError", "TypeError")
)  # fmt: skip
"""Exceptions by which monty says that it lacks something."""


def done(run: f.Run, value: bytes, usage: f.Usage) -> f.Done:
    """Return the frame of a program that ended with a value."""
    return f.Done(run.run, value, usage)


def refused(run: f.Run, message: str, line: int) -> f.Failed:
    """Return the frame of a program that no engine here can run."""
    return f.Failed(run.run, ErrorCode.UNSUPPORTED, message, NO_USAGE, line=line)


def scoring_blocked(run: f.Run) -> f.Failed:
    """Return the frame of a program that the host's scoring gate does not let run."""
    return f.Failed(run.run, ErrorCode.SCORING_BLOCKED, "the scoring gate blocked it", NO_USAGE)


def broken(
    run: f.Run, kind: Literal["crashed", "unavailable", "protocol"], message: str, frame: str = ""
) -> f.Broken:
    """Return the frame of a run whose inner VM failed."""
    return f.Broken(run.run, kind, message, frame)


def stopped(run: f.Run, stop: Stop, usage: f.Usage) -> f.Failed:
    """Return the frame of a run that was stopped."""
    limits = run.limits
    code, message = {
        Stop.TIMEOUT: (ErrorCode.TIMEOUT, f"the run took longer than {limits.timeout:g} s"),
        Stop.OUTPUT_BYTES: (
            ErrorCode.OUTPUT_LIMIT_EXCEEDED,
            f"the program printed more than {limits.max_output_bytes:,} bytes",
        ),
        Stop.OUTPUT_LINES: (
            ErrorCode.OUTPUT_LIMIT_EXCEEDED,
            f"the program printed more than {limits.max_prints:,} lines",
        ),
        Stop.DENIALS: (
            ErrorCode.OPERATION_DENIED,
            f"the run was ended after {limits.max_denied} denied operations",
        ),
    }[stop]
    return f.Failed(run.run, code, message, usage)


def failed(
    run: f.Run,
    end: Failed,
    usage: f.Usage = NO_USAGE,
    relay: Relay | None = None,
    lacks: str | None = None,
) -> f.Failed:
    """Return the frame of a program that an exception ended; ``lacks`` is what explains it."""
    code, message, call = _KINDS[end.kind], end.message, None
    if relay is not None and end.message in relay.denials:
        code, call = ErrorCode.OPERATION_DENIED, relay.denials[end.message]
        if end.message.endswith("[budget/max_tool_calls]"):
            code = ErrorCode.MAX_TOOL_CALLS
    elif relay is not None and end.message in relay.tool_errors:
        code = ErrorCode.TOOL_ERROR
    elif lacks is not None:
        code, message = ErrorCode.UNSUPPORTED, lacks
    traceback = end.traceback[-MAX_TRACEBACK:] if run.full_traceback else ""
    name, message = end.type[:MAX_TYPE], message[:MAX_MESSAGE]
    return f.Failed(run.run, code, message, usage, name, end.line, traceback, call)


def lacking(end: Failed, program: Program) -> str | None:
    """Say what monty lacks, if that is why the program failed where it did."""
    if end.type not in _LACKING_TYPES:
        return None
    found = lacking_in_monty(program.tree, frozenset(program.tools))
    reasons = [reason for reason in found if reason.line == end.line]
    if not reasons:
        return None
    return f"the monty engine lacks {reasons[0].what}; the cpython engine has it"
