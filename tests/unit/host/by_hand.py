"""A run driven by hand: no process, no thread, no clock but a list of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from doublevm.host import effects
from doublevm.host import run as r
from doublevm.host.handlers import Handlers
from doublevm.host.keeping import Keeping
from doublevm.host.trail import Trail
from doublevm.wire import frames as f
from doublevm.wire.codec import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm import AuditRecord, RunResult
    from doublevm.host.scoring import Gate
    from doublevm.host.sinks.entries import Ended

LIMITS = f.RunLimits(10.0, 2**26, 3, 100, 10, 2)
USAGE = f.Usage(0.25, 4096)


def add(a: int, b: int = 0) -> int:
    return a + b


def call(
    number: int = 1,
    operation: str = "add",
    *,
    concurrent: bool = False,
    run: int = 7,
    line: int = 0,
    **args: Any,
) -> f.Call:
    return f.Call(run, number, operation, encode(args), concurrent, line=line)


def denied(number: int = 1, *, run: int = 7, **args: Any) -> f.Denied:
    return f.Denied(run, number, "add", encode(args), "names", "grammar", "no name")


def done(value: Any = None, *, run: int = 7) -> f.Done:
    return f.Done(run, encode(value), USAGE)


def failed(code: str = "EXECUTION_ERROR", **more: Any) -> f.Failed:
    return f.Failed(more.pop("run", 7), code, "ValueError: x", USAGE, **more)


STARTED = f.Started(7, "cpython")


class ByHand:
    """Run number 7 of an enclave whose history may have begun already."""

    def __init__(
        self,
        *,
        history: Trail | None = None,
        on_output: Callable[[str, str], None] | None = None,
        gate: Gate | None = None,
        kept_as: str | None = None,
        validation: f.Validation | None = None,
        **handlers: Any,
    ) -> None:
        self.trail = history if history is not None else Trail()
        self.seconds = 100.0
        asks = gate is not None and gate.known("1") is None
        frame = f.Run(7, "1", encode({}), "auto", session=False, full_traceback=True, limits=LIMITS)
        frame = msgspec.structs.replace(frame, score=asks)
        self.run = r.HostRun(
            frame,
            Handlers(handlers.get("tools", [add]), handlers.get("tool_handler")),
            self.trail,
            buffer=1.5,
            now=lambda: 1_700_000_000.0,
            clock=lambda: self.seconds,
            on_output=on_output,
            gate=gate,
            keeping=None if kept_as is None else self._keeping(kept_as, frame),
            validation=validation,
        )
        self.last: effects.Effect | None = None
        self.late: tuple[Ended, ...] = ()
        """What was still to be written once something had been, as the run was over then."""
        self.steps = self.run.steps()
        assert next(self.steps) == effects.Send(frame)
        assert self.tell(None) == effects.Next()

    def _keeping(self, enclave: str, frame: f.Run) -> Keeping:
        return Keeping(enclave, "SECURE", frame, frame.run, self.trail, lambda: 1_700_000_000.0)

    @property
    def history(self) -> tuple[AuditRecord, ...]:
        return self.trail.records

    def tell(self, answer: Any) -> effects.Effect:
        """Answer the last effect; return the next one. What is to be kept is, unless denied."""
        if isinstance(self.last, effects.Keep) and answer is None and self.last.kept is not None:
            self.late += self.last.kept()
        self.last = self.steps.send(answer)
        return self.last

    def start(self) -> ByHand:
        """Let the guest start."""
        assert self.tell(STARTED) == effects.Clock(11.5)
        assert self.tell(None) == effects.Next()
        return self

    def end(self, frame: Any) -> RunResult:
        """Give the frame that ends the run; return its result."""
        try:
            effect = self.tell(frame)
        except StopIteration as end:
            result: RunResult = end.value
            return result
        raise AssertionError(f"the run went on with {effect}")


def returned(
    number: int = 1, value: Any = None, *, run: int = 7, took: float = 0.5
) -> effects.Finished:
    return effects.Finished(number, f.Returned(run, number, encode(value)), took)


def raised(number: int = 1) -> effects.Finished:
    return effects.Finished(number, f.Raised(7, number, "ValueError", "x"), 0.5)
