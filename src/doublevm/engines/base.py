"""What every engine offers the parent VM, and the words both sides use.

The parent calls ``begin`` once, before it is sealed: no process can be started afterwards. For each
run it calls ``prepare`` (have a fresh guest), then ``start``, and answers each step with
``resume`` until a Done or Failed; then ``finish``. An engine knows nothing of policy: it names
what the guest attempts and is told what to answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from doublevm.wire.frames import EngineName, Usage  # noqa: TC001 - part of the words of this module
from doublevm.wire.inner_frames import Error, Later, Settled, Value

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Mapping, Sequence

Answer = Value | Error | Later
"""What a Call is answered with."""

Reply = Answer | Settled
"""What a Call or a Wait is answered with."""


class EngineStartError(Exception):
    """The engine cannot be started here; the message says why."""


class EngineDiedError(Exception):
    """The inner VM's process is gone; the message says what is known."""


class EngineProtocolError(Exception):
    """The inner VM sent what it may not."""

    def __init__(self, frame: str, message: str) -> None:
        """``frame`` is the frame's name, or ``"bytes"``."""
        super().__init__(message)
        self.frame = frame


@dataclass(frozen=True, slots=True)
class Program:
    """A program that has passed the checks before its run."""

    source: str
    tree: ast.Module
    inputs: bytes
    """Encoded dict of the values its names start with."""
    tools: tuple[str, ...]
    timeout: float
    memory: int
    keep: bool
    """Whether the guest is kept afterwards: a session."""
    max_iterations: int | None = None
    """Iterations of its loops; None for any number. Only cpython counts."""


@dataclass(frozen=True, slots=True)
class Call:
    """The guest attempts an operation and waits for the answer (or Later, if concurrent)."""

    id: int
    operation: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    concurrent: bool
    problem: str = ""
    """Why the arguments cannot cross, if they cannot; they are then empty."""
    line: int = 0
    """The program's line that calls; 0 if it is not known. A claim, which decides nothing."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing goes on in the guest until an answer comes, or for ``seconds`` at most."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Done:
    """The program ended with a value, encoded."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """The program did not end with a value."""

    kind: Literal["syntax", "exception", "memory", "value", "iterations"]
    type: str
    message: str
    """As Python prints it: ``ValueError: too many``."""
    line: int = 0
    traceback: str = ""


Step = Call | Wait | Done | Failed


class Engine(Protocol):
    """One kind of inner VM, at most one guest at a time."""

    @property
    def name(self) -> EngineName:
        """The engine's name."""

    def rest(self) -> None:
        """Do ahead of time what the next run would have to wait for: a run's outcome was sent."""

    def prepare(self, memory: int, timeout: float, *, keep: bool) -> None:
        """Have a fresh guest ready, or the session's.

        Raises:
            EngineStartError: it cannot be started.
            EngineDiedError: the inner VM died.
        """

    def start(self, program: Program, emit: Callable[[Any, str], None]) -> Step:
        """Run the program up to its first step; ``emit`` gets what it prints, as it prints it.

        Raises:
            EngineDiedError: the inner VM died.
            EngineProtocolError: the inner VM sent what it may not.
        """

    def resume(self, reply: Reply) -> Step:
        """Answer the last step and run up to the next one. Raises as ``start`` does."""

    @property
    def watched_fds(self) -> tuple[int, ...]:
        """Descriptors of which one turns readable when ``check`` has something to say."""

    @property
    def spent(self) -> bool:
        """Whether there can be no further guest."""

    def check(self) -> None:
        """Look after an inner VM that should be waiting for its answer.

        Raises:
            EngineDiedError: it died.
            EngineProtocolError: it spoke out of turn.
        """

    def kill(self) -> None:
        """End the inner VM at once. May be called from any thread, more than once."""

    def finish(self, *, keep: bool) -> Usage:
        """End the guest, unless it is kept for a session; return what the run used."""

    def close(self) -> None:
        """End every process of this engine."""
