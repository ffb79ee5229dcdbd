"""Every error doublevm raises or returns, drawn as one tree.

::

    EnclaveError
    ├── ConfigError            the host's mistake, found before any guest code runs
    ├── GuestError             the guest's doing; ``.code`` says which (see ErrorCode)
    ├── PoolRefused            a pool did not take a request; nothing has run (``.reason``)
    └── VMError                our machinery failed; the guest's answer is unknown
        ├── EngineUnavailable  an engine could not be started
        ├── ConfinementUnavailable  the VMs cannot be confined as the level asks
        ├── VMCrashed          a VM process died                    (``.vm``)
        └── ProtocolError      a VM sent what it may not            (``.vm``, ``.frame``)

``run()`` *returns* a GuestError inside its result and *raises* the others, so an agent loop
shows guest errors to its model and lets the rest reach the operator.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from doublevm.guard.findings import Finding
    from doublevm.verdict import Deny

VM = Literal["parent", "inner"]
RefusalReason = Literal["full", "timeout", "closed"]


class ErrorCode(StrEnum):
    """What ended a guest program. Compare codes, never messages."""

    VALIDATION_ERROR = "VALIDATION_ERROR"
    """The program was refused before it ran; ``findings`` say what is wrong and where."""
    SCORING_BLOCKED = "SCORING_BLOCKED"
    """The scoring gate did not let it run; ``result.score`` says why."""
    EXECUTION_ERROR = "EXECUTION_ERROR"
    """An exception left the program."""
    OPERATION_DENIED = "OPERATION_DENIED"
    """A denial left the program, or too many denials ended it."""
    TOOL_ERROR = "TOOL_ERROR"
    """A tool's exception left the program."""
    MAX_TOOL_CALLS = "MAX_TOOL_CALLS"
    """The refusal of a call beyond ``max_tool_calls`` left the program."""
    MAX_ITERATIONS = "MAX_ITERATIONS"
    """The loops of the program ran for more than ``Guard(max_iterations=...)``."""
    TIMEOUT = "TIMEOUT"
    """The run took longer than ``timeout``, tools and sleeping included."""
    MEMORY_LIMIT_EXCEEDED = "MEMORY_LIMIT_EXCEEDED"
    """The guest needed more than ``memory``."""
    OUTPUT_LIMIT_EXCEEDED = "OUTPUT_LIMIT_EXCEEDED"
    """The guest printed more than ``max_output_bytes`` or ``max_prints``."""
    UNSUPPORTED = "UNSUPPORTED"
    """The engine lacks something the program uses; the message says what and where."""


class EnclaveError(Exception):
    """Base of everything doublevm raises."""


class ConfigError(EnclaveError, ValueError):
    """The host configured or used something wrongly; nothing of the guest has run."""


class GuestError(EnclaveError):
    """What the guest did wrong."""

    def __init__(  # noqa: PLR0913 - all but two are for some codes only
        self,
        code: ErrorCode,
        message: str,
        *,
        type_name: str = "",
        line: int | None = None,
        traceback: str = "",
        operation: str | None = None,
        verdict: Deny | None = None,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        """Keep the parts apart, so that callers need not parse the text."""
        super().__init__(message)
        self.code = code
        """The ErrorCode."""
        self.message = message
        """One line for the model: the exception as Python prints it, or what was exceeded."""
        self.type = type_name
        """Name of the guest's exception type (``"ValueError"``), or ``""``."""
        self.line = line
        """Line of the program where it happened, 1-based, where known."""
        self.traceback = traceback
        """Guest frames only; empty where the security level hides them."""
        self.operation = operation
        """With OPERATION_DENIED and MAX_TOOL_CALLS: the operation that was denied."""
        self.verdict = verdict
        """With OPERATION_DENIED, MAX_TOOL_CALLS and SCORING_BLOCKED: why."""
        self.findings = findings
        """With VALIDATION_ERROR: everything that was found wrong, each with its place."""

    def __str__(self) -> str:
        """Code, message and line in one line."""
        where = f" (line {self.line})" if self.line else ""
        return f"{self.code}: {self.message}{where}"

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling and copying, as errors in result queues do."""
        return (_rebuild, (self.code, self.message, dict(self.__dict__)))


def _rebuild(code: ErrorCode, message: str, state: dict[str, object]) -> GuestError:
    error = GuestError(code, message)
    error.__dict__.update(state)
    return error


class PoolRefused(EnclaveError):  # noqa: N818 - what has happened, as the errors below
    """A pool did not take a request: nothing of its program has run, so it may be sent again."""

    def __init__(self, reason: RefusalReason, message: str) -> None:
        """Say why, in a word and in a sentence."""
        super().__init__(message)
        self.reason = reason
        """``"full"`` (so many wait already), ``"timeout"`` (no worker came free in time) or
        ``"closed"`` (the pool was closed meanwhile)."""

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling with both arguments."""
        return (type(self), (self.reason, str(self)))


class VMError(EnclaveError):
    """Our machinery failed, not the guest; what the guest would have answered is unknown."""


class EngineUnavailable(VMError):  # noqa: N818 - the documented name
    """An engine could not be started: not installed, or not startable here."""


class ConfinementUnavailable(VMError):  # noqa: N818 - the documented name
    """The operating system does not confine the VMs as well as the security level asks for."""


class VMCrashed(VMError):  # noqa: N818 - the documented name
    """A VM process died while it was needed."""

    def __init__(self, vm: VM, message: str) -> None:
        """Say which VM died and what is known of it."""
        super().__init__(message)
        self.vm = vm
        """``"parent"`` or ``"inner"``."""

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling with both arguments."""
        return (type(self), (self.vm, str(self)))


class ProtocolError(VMError):
    """A VM sent something it may not send: its pair was ended."""

    def __init__(self, vm: VM, frame: str, message: str) -> None:
        """Say which VM, which frame (or ``"bytes"``), and why it may not come."""
        super().__init__(message)
        self.vm = vm
        """``"parent"`` or ``"inner"``."""
        self.frame = frame
        """Name of the frame that broke the rule, or ``"bytes"`` where none could be read."""

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling with all arguments."""
        return (type(self), (self.vm, self.frame, str(self)))
