"""One run as the host sees it: a generator of effects, which is sent what happened.

It does no I/O, starts no thread and reads no clock but the one it is given, so the sync and the
async driver are thin and behave alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from doublevm.errors import EngineUnavailable, ErrorCode, GuestError, ProtocolError, VMCrashed
from doublevm.guard.findings import at_place, lines_of
from doublevm.host.effects import Clock, Consult, Escaped, Finished, Invoke, Next, Send
from doublevm.host.gating import Gating
from doublevm.host.guarding import findings_of
from doublevm.host.policy import verdict_on
from doublevm.host.printed import Printed
from doublevm.host.scoring import NOT_ASKED
from doublevm.host.trail import Open
from doublevm.result import RunResult, RunStats
from doublevm.verdict import Deny, Verdict, WouldDeny
from doublevm.wire import frames as f
from doublevm.wire.codec import CodecError, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from doublevm.audit import Outcome
    from doublevm.confinement import Confinement
    from doublevm.guard.findings import Finding
    from doublevm.host.effects import Effect
    from doublevm.host.handlers import Handlers
    from doublevm.host.holding import Fault
    from doublevm.host.keeping import Keeping
    from doublevm.host.meter import Meter
    from doublevm.host.scoring import Gate
    from doublevm.host.sinks.entries import Ended
    from doublevm.host.trail import Trail
    from doublevm.wire import guard_frames as g


CLOCKS_APART: Final = 1.0
"""Seconds that the clocks of host and parent VM may differ by, read at different moments."""


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
        gate: Gate | None = None,
        keeping: Keeping | None = None,
        validation: f.Validation | None = None,
    ) -> None:
        """Prepare to send ``frame``.

        ``trail`` is the enclave's; records are appended to it. ``now`` gives seconds since the
        epoch, ``clock`` monotonic seconds, ``buffer`` what the host grants beyond the timeout.
        ``confinement`` says what confines the pair: it is asked at the end, when there is one.
        ``number`` is the run's in its trail, where the frame's is another: two conversations that
        share a pair must not answer each other. ``meter`` notices a flood of frames. ``gate``
        scores the program. ``keeping`` is the run's part of the stored trails, if there are any.
        ``validation`` is the policy that the parent VM was told.
        """
        self._frame, self._handlers, self._trail = frame, handlers, trail
        self._buffer, self._now, self._clock = buffer, now, clock
        self._confinement, self._meter, self._validation = confinement, meter, validation
        self._number = frame.run if number is None else number
        self._keeping = keeping
        self._first = len(trail)
        self._places: dict[int, int] = {}
        self._attempts = [0, 0]
        """Operations let through, and denied."""
        self._printed = Printed(frame.limits.max_output_bytes, on_output)
        self._engine = ""
        self._read: g.Findings = ()
        self._gating = Gating(gate, frame, self._scored)
        self.spent = False
        """Whether the pair has said that it can run no other program."""
        self.flooded = False
        """Whether it was ended for sending too many frames."""
        self._given_up = False
        self._started = clock()
        self._created = now()
        self._epoch = self._created - self._started
        """Of a clock that nobody sets, as the parent VM has one."""

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
        self._gating.recall()
        yield from self._keep_score()
        if self._gating.is_blocked:
            return self._result(f.Usage(0.0, 0), None, self._gating.error())
        yield Send(self._frame)
        return (yield from self._listen())

    def _listen(self) -> Generator[Effect, Any, RunResult]:
        while True:
            match (yield Next()):
                case Finished() | Escaped() as late:
                    yield from self._late(late)
                case frame if frame.run != self._frame.run:
                    raise ProtocolError("parent", f.frame_name(frame), "a frame of another run")
                case f.Read() | f.Scored() as before:
                    yield from self._before(before)
                case f.Started(engine=engine):
                    self._gating.check_start()
                    self._engine, self._started = engine, self._clock()
                    if self._keeping is not None:
                        self._keeping.engine = engine
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
        return () if self._keeping is None else self._keeping.end()

    def _heard(self, frame: f.Call | f.Denied | f.Output) -> Generator[Effect, Any, None]:
        match frame:
            case f.Call():
                yield from self._call(frame)
            case f.Denied():
                place = self._record(frame, Deny(frame.barrier, frame.rule, frame.reason))
                yield from self._keep_denied(place)
            case f.Output():
                self._printed.add(frame.stream, frame.text)

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

    # --- before it begins ---------------------------------------------------------------------

    def _before(self, frame: f.Read | f.Scored) -> Generator[Effect, Any, None]:
        if isinstance(frame, f.Read):
            self._read = frame.findings
            return
        ask = self._gating.question(frame.graded)
        answer = NOT_ASKED if ask is None else (yield Consult(ask, self._gating.timeout))
        self._gating.decide(frame.graded, answer)
        yield from self._keep_score()
        yield Send(self._gating.decided)

    def _scored(self, arguments: Mapping[str, Any], verdict: Verdict) -> None:
        duration = self._clock() - self._started
        self._trail.scored(self._number, self._now(), arguments, verdict, duration)

    def _keep_score(self) -> Generator[Effect, Any, None]:
        """Write a score before the program that it is of begins, or that may not begin."""
        if self._keeping is None or self._gating.score is None:
            return
        denial = yield from self._keeping.score(self._first, blocked=self._gating.is_blocked)
        if denial is not None:
            self._trail.denied(self._first, denial)
            self._gating.deny(denial)

    # --- operations ---------------------------------------------------------------------------

    def _call(self, call: f.Call) -> Generator[Effect, Any, None]:
        args = _decode(call.args, "call")
        # What the parent lets through is checked once more: it may have been taken over.
        invocation = self._handlers.invocation(self._frame.run, call, args)
        place = self._record(call, verdict_on(call, self._validation))
        if self._keeping is not None and (
            yield from self._keep_allowed(self._keeping, place, call)
        ):
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
        if self._keeping is not None:
            # After the answer, so that the guest need not wait for it.
            yield from self._keeping.outcome(place)

    def _keep_allowed(
        self, keeping: Keeping, place: int, call: f.Call
    ) -> Generator[Effect, Any, bool]:
        """Write an attempt before its handler runs; if that fails, deny it and return True."""
        denial = yield from keeping.allowed(place)
        if denial is None:
            self._trail.check_open(self._number)  # the run may have been given up meanwhile
            return False
        self._trail.denied(place, denial)
        yield Send(f.Refused(self._frame.run, call.call, denial.message(call.operation[:200])))
        return True

    def _keep_denied(self, place: int) -> Generator[Effect, Any, None]:
        if self._keeping is not None:
            yield from self._keeping.denied(place)

    def _record(self, frame: f.Call | f.Denied, verdict: Verdict) -> int:
        arguments = _decode(frame.args, f.frame_name(frame))
        if not isinstance(arguments, dict):
            raise ProtocolError("parent", f.frame_name(frame), "arguments that are not a dict")
        encoded = _encoded(arguments, frame)
        if frame.call in self._places:
            raise ProtocolError("parent", f.frame_name(frame), f"a second call {frame.call}")
        self._count(frame)
        now, judged = self._now(), self._judged(frame)
        what = (now, frame.operation, arguments, verdict, encoded, judged, frame.line or None)
        place = self._trail.add(self._number, Open(*what))
        self._places[frame.call] = place
        return place

    def _judged(self, frame: f.Call | f.Denied) -> float:
        """Return when the parent VM says that it judged, within the run: it may lie.

        A later one is told of it, and must not be made to forget.
        """
        latest = self._epoch + self._clock() + CLOCKS_APART
        return min(max(self._created, frame.judged), latest)

    def _count(self, frame: f.Call | f.Denied) -> None:
        """Hold the parent VM to what it may let through, and to what it may make the host keep."""
        limits, denied = self._frame.limits, isinstance(frame, f.Denied)
        self._attempts[denied] += 1
        # A run without any denial to spare ends with the first one.
        most = max(1, limits.max_denied) if denied else limits.max_tool_calls
        if self._attempts[denied] > most:
            raise ProtocolError("parent", f.frame_name(frame), f"more than {most} in one run")

    # --- the end ------------------------------------------------------------------------------

    def _guest_error(self, failed: f.Failed) -> GuestError:
        self._gating.check_failure(failed)
        if self._gating.is_blocked:
            return self._gating.error()
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
            findings=self._refusing(code, failed),
        )

    def _refusing(self, code: ErrorCode, failed: f.Failed) -> tuple[Finding, ...]:
        """Return what has refused a program: an engine's compiler finds what no parser does."""
        refusing = findings_of(each for each in self._read if each.refuses)
        if code is not ErrorCode.VALIDATION_ERROR or refusing:
            return refusing
        lines = lines_of(self._frame.source)
        return (at_place("syntax", failed.line or 1, 1, lines, failed.message),)

    def _result(self, usage: f.Usage, value: Any, error: GuestError | None) -> RunResult:
        self._trail.seal(self._number)
        audit = self._trail.since(self._first)
        operations = [record for record in audit if record.outcome != "scored"]
        denied = sum(not record.verdict.allowed for record in operations)
        stats = RunStats(
            duration=self._clock() - self._started,
            tool_calls=len(operations) - denied,
            denied=denied,
            would_deny=sum(isinstance(each.verdict, WouldDeny) for each in operations),
            cpu_time=usage.cpu_time,
            peak_memory=usage.peak_memory,
            engine=self._engine,
        )
        findings = findings_of(self._read)
        refusing = () if error is None else error.findings
        findings += tuple(each for each in refusing if each not in findings)
        return RunResult(
            value,
            error,
            self._printed.text("stdout"),
            self._printed.text("stderr"),
            stats,
            audit,
            self._confinement(),
            findings,
            self._gating.score,
        )


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
