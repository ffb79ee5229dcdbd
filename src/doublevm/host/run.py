"""One run as the host sees it: a generator that yields what to do and is sent what happened.

It does no I/O, starts no thread and reads no clock but the one it is given, so the sync and the
async driver are thin and behave alike. The driver performs each effect and sends its answer:

- ``Send(frame)``: send it; answer None.
- ``Next()``: wait for a frame of the parent VM, or for a concurrent handler; answer a frame, a
  ``Finished`` or an ``Escaped``.
- ``Clock(seconds)``: from now on the run may take so long; answer None.
- ``Keep(entries)``: have them written to the sinks; answer None, or the denial if that failed.
- ``Invoke(call, …)``: run the handler. Not concurrent: answer its ``Finished``. Concurrent: start
  it, answer None, and let ``Next`` give its Finished later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from doublevm.errors import EngineUnavailable, ErrorCode, GuestError, ProtocolError, VMCrashed
from doublevm.host.sinks.entries import attempt_of, outcome_of
from doublevm.result import RunResult, RunStats
from doublevm.verdict import Allow, Deny, Verdict
from doublevm.wire import frames as f
from doublevm.wire.codec import CodecError, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from doublevm.audit import Outcome
    from doublevm.confinement import Confinement
    from doublevm.host.handlers import Handlers, Invocation
    from doublevm.host.holding import Fault
    from doublevm.host.meter import Meter
    from doublevm.host.sinks.entries import Attempt, Ended
    from doublevm.host.trail import Trail


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame to the parent VM."""

    frame: f.HostFrame


@dataclass(frozen=True, slots=True)
class Next:
    """Wait for what comes next."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The guest has started: the run may take ``seconds`` from now."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Invoke:
    """Run a handler."""

    call: int
    invocation: Invocation
    concurrent: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """A handler has ended."""

    call: int
    answer: f.Returned | f.Raised
    duration: float


@dataclass(frozen=True, slots=True)
class Escaped:
    """What no handler's caller handles, a SystemExit say, has left a concurrent handler."""

    run: int
    error: BaseException


@dataclass(frozen=True, slots=True)
class Keep:
    """Write to the sinks, durably."""

    entries: tuple[Attempt | Ended, ...]


Effect = Send | Next | Clock | Invoke | Keep


class HostRun:
    """The state of one run. Readable at any moment, so that a driver can give up on it."""

    def __init__(  # noqa: PLR0913 - so that all it needs of the world is given to it
        self,
        frame: f.Run,
        handlers: Handlers,
        trail: Trail,
        *,
        buffer: float,
        now: Callable[[], float],
        clock: Callable[[], float],
        on_output: Callable[[str, str], None] | None,
        confinement: Callable[[], Confinement | None] = lambda: None,
        number: int | None = None,
        meter: Meter | None = None,
        kept_as: str | None = None,
    ) -> None:
        """Prepare to send ``frame``.

        ``trail`` is the enclave's; records are appended to it. ``now`` gives seconds since the
        epoch, ``clock`` monotonic seconds, ``buffer`` what the host grants beyond the timeout.
        ``confinement`` says what confines the pair: it is asked at the end, when there is one.
        ``number`` is the run's in its trail, where the frame's is another: two conversations that
        share a pair must not answer each other. ``meter`` notices a flood of frames. ``kept_as`` is
        what stored trails call the enclave; None if there are none.
        """
        self._frame, self._handlers, self._trail = frame, handlers, trail
        self._buffer, self._now, self._clock, self._on_output = buffer, now, clock, on_output
        self._confinement, self._meter = confinement, meter
        self._kept_as = kept_as
        self._begun: set[int] = set()
        """Places of operations that stored trails have the attempt of, and not the outcome."""
        self._number = frame.run if number is None else number
        self._first = len(trail)
        self._places: dict[int, int] = {}
        self._attempts = [0, 0]
        """Operations let through, and denied."""
        self._printed: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._characters = 0
        self._engine = ""
        self.spent = False
        """Whether the pair has said that it can run no other program."""
        self.flooded = False
        """Whether it was ended for sending too many frames."""
        self._given_up = False
        self._started = clock()

    @property
    def has_started(self) -> bool:
        """Whether the guest's program has begun, as far as the host knows."""
        return bool(self._engine)

    @property
    def fault(self) -> Fault:
        """Why its pair cannot be used any more, if it cannot."""
        if self.flooded:
            return "flood"
        return "spent" if self.spent else "failed"

    def steps(self) -> Generator[Effect, Any, RunResult]:
        """Run; return the result.

        Raises:
            VMError: a VM failed.
        """
        yield Send(self._frame)
        while True:
            match (yield Next()):
                case Finished() | Escaped() as late:
                    yield from self._late(late)
                case frame if frame.run != self._frame.run:
                    raise ProtocolError("parent", f.frame_name(frame), "a frame of another run")
                case f.Started(engine=engine):
                    self._engine, self._started = engine, self._clock()
                    yield Clock(self._frame.limits.timeout + self._buffer)
                case f.Call() | f.Denied() | f.Output() as heard:
                    if self._meter is not None and self._meter.exceeded():
                        return (yield from self._drown(self._meter.most, heard))
                    yield from self._heard(heard)
                case f.Done(value=value, usage=usage) as done:
                    self.spent = done.spent
                    return self._result(usage, _decode(value, "done"), None)
                case f.Failed() as failed:
                    self.spent = failed.spent
                    return self._result(failed.usage, None, self._guest_error(failed))
                case f.Broken() as broken:
                    raise _vm_error(broken)

    def timed_out(self) -> RunResult:
        """Return the result of a run that the host gave up on; its record changes no more."""
        self._given_up = True
        message = f"the run took longer than {self._frame.limits.timeout:g} s"
        return self._result(f.Usage(0.0, 0), None, GuestError(ErrorCode.TIMEOUT, message))

    def last_words(self) -> tuple[Ended, ...]:
        """End the run; return what stored trails are still to be told of its operations."""
        self._trail.seal(self._number)
        places, self._begun = sorted(self._begun), set()
        return tuple(self._outcome(place) for place in places)

    def _heard(self, frame: f.Call | f.Denied | f.Output) -> Generator[Effect, Any, None]:
        match frame:
            case f.Call():
                yield from self._call(frame)
            case f.Denied():
                place = self._record(frame, Deny(frame.barrier, frame.rule, frame.reason))
                yield from self._keep_denied(place)
            case f.Output():
                self._print(frame.stream, frame.text)

    def _drown(
        self, most: int, frame: f.Call | f.Denied | f.Output
    ) -> Generator[Effect, Any, RunResult]:
        """End a run that floods its host: what it still sends is not looked at."""
        self.flooded = self.spent = self._given_up = True
        message = f"the program sent more than {most:,} messages within a second"
        if isinstance(frame, f.Output):
            error = GuestError(ErrorCode.OUTPUT_LIMIT_EXCEEDED, message)
        else:
            verdict = Deny("rate", "max_messages_per_second", message)
            if isinstance(frame, f.Denied):
                verdict = Deny(frame.barrier, frame.rule, frame.reason)
            yield from self._keep_denied(self._record(frame, verdict))
            code, operation = ErrorCode.OPERATION_DENIED, frame.operation
            error = GuestError(code, message, operation=operation, verdict=verdict)
        return self._result(f.Usage(0.0, 0), None, error)

    # --- operations ---------------------------------------------------------------------------

    def _call(self, call: f.Call) -> Generator[Effect, Any, None]:
        args = _decode(call.args, "call")
        # What the parent lets through is checked once more: it may have been taken over.
        invocation = self._handlers.invocation(self._frame.run, call, args)
        place = self._record(call, Allow())
        if self._kept_as is not None and (yield from self._keep_allowed(place, call)):
            return
        finished = yield Invoke(call.call, invocation, call.concurrent)
        if finished is not None:
            yield from self._answer(finished)

    def _late(self, late: Finished | Escaped) -> Generator[Effect, Any, None]:
        """Take what a concurrent handler gives; of an earlier run, nobody waits for it any more."""
        if isinstance(late, Escaped):
            if late.run == self._frame.run:
                raise late.error
        elif late.answer.run == self._frame.run:
            yield from self._answer(late)

    def _answer(self, finished: Finished) -> Generator[Effect, Any, None]:
        if self._given_up:
            return
        outcome: Outcome = "returned" if isinstance(finished.answer, f.Returned) else "raised"
        place = self._places[finished.call]
        self._trail.ended(place, outcome, finished.duration)
        yield Send(finished.answer)
        if place in self._begun:
            # After the answer, so that the guest need not wait for it.
            yield Keep((self._outcome(place),))
            self._begun.discard(place)

    def _keep_allowed(self, place: int, call: f.Call) -> Generator[Effect, Any, bool]:
        """Write an attempt before its handler runs; if that fails, deny it and return True."""
        denial = yield Keep((self._attempt(place),))
        if denial is None:
            self._begun.add(place)
            self._trail.check_open(self._number)  # the run may have been given up meanwhile
            return False
        self._trail.denied(place, denial)
        yield Send(f.Refused(self._frame.run, call.call, denial.message(call.operation[:200])))
        return True

    def _keep_denied(self, place: int) -> Generator[Effect, Any, None]:
        if self._kept_as is not None:
            yield Keep((self._attempt(place),))

    def _attempt(self, place: int) -> Attempt:
        assert self._kept_as is not None
        return attempt_of(self._kept_as, self._trail.at(place))

    def _outcome(self, place: int) -> Ended:
        assert self._kept_as is not None
        return outcome_of(self._kept_as, self._trail.at(place), self._now())

    def _record(self, frame: f.Call | f.Denied, verdict: Verdict) -> int:
        arguments = _decode(frame.args, f.frame_name(frame))
        if not isinstance(arguments, dict):
            raise ProtocolError("parent", f.frame_name(frame), "arguments that are not a dict")
        encoded = _encoded(arguments, frame)
        if frame.call in self._places:
            raise ProtocolError("parent", f.frame_name(frame), f"a second call {frame.call}")
        self._count(frame)
        now = self._now()
        place = self._trail.add(self._number, now, frame.operation, arguments, verdict, encoded)
        self._places[frame.call] = place
        return place

    def _count(self, frame: f.Call | f.Denied) -> None:
        """Hold the parent VM to what it may let through, and to what it may make the host keep."""
        limits, denied = self._frame.limits, isinstance(frame, f.Denied)
        self._attempts[denied] += 1
        # A run without any denial to spare ends with the first one.
        most = max(1, limits.max_denied) if denied else limits.max_tool_calls
        if self._attempts[denied] > most:
            raise ProtocolError("parent", f.frame_name(frame), f"more than {most} in one run")

    # --- output and the end -------------------------------------------------------------------

    def _print(self, stream: f.Stream, text: str) -> None:
        self._printed[stream].append(text)
        self._characters += len(text)
        if self._characters > self._frame.limits.max_output_bytes:
            raise ProtocolError("parent", "output", "more output than the run may have")
        if self._on_output is not None:
            self._on_output(stream, text)

    def _guest_error(self, failed: f.Failed) -> GuestError:
        try:
            code = ErrorCode(failed.code)
        except ValueError:
            raise ProtocolError("parent", "failed", f"no error code {failed.code!r}") from None
        operation = verdict = None
        place = self._places.get(failed.call) if failed.call is not None else None
        if place is not None:
            (record,) = self._trail.since(place)[:1]
            operation = record.operation
            verdict = record.verdict if isinstance(record.verdict, Deny) else None
        return GuestError(
            code,
            failed.message,
            type_name=failed.type_name,
            line=failed.line or None,
            traceback=failed.traceback,
            operation=operation,
            verdict=verdict,
        )

    def _result(self, usage: f.Usage, value: Any, error: GuestError | None) -> RunResult:
        self._trail.seal(self._number)
        audit = self._trail.since(self._first)
        denied = sum(not record.verdict.allowed for record in audit)
        stats = RunStats(
            duration=self._clock() - self._started,
            tool_calls=len(audit) - denied,
            denied=denied,
            cpu_time=usage.cpu_time,
            peak_memory=usage.peak_memory,
            engine=self._engine,
        )
        stdout, stderr = ("".join(self._printed[stream]) for stream in ("stdout", "stderr"))
        return RunResult(value, error, stdout, stderr, stats, audit, self._confinement())


def _decode(payload: bytes, frame: str) -> Any:
    try:
        return decode(payload)
    except CodecError as error:
        raise ProtocolError("parent", frame, str(error)) from None


def _encoded(arguments: dict[Any, Any], frame: f.Call | f.Denied) -> bytes:
    """Encode what goes on record.

    INVARIANT: what is on record can be encoded, or no run could be sealed any more. Not every
    encoding is as long as ours: a date needs no hyphens, nor a UUID.
    """
    try:
        return encode(arguments, "arguments")
    except CodecError as error:
        raise ProtocolError("parent", f.frame_name(frame), str(error)) from None


def _vm_error(broken: f.Broken) -> Exception:
    if broken.kind == "unavailable":
        return EngineUnavailable(broken.message)
    if broken.kind == "protocol":
        return ProtocolError("inner", broken.frame or "bytes", broken.message)
    return VMCrashed("inner", broken.message)
