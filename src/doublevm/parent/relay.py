"""The relay: one run at a time, every operation judged on its way from the guest to the host."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NoReturn

from doublevm.engines.base import Call, Done, Failed, Wait
from doublevm.monitor import Hold
from doublevm.parent.clock import steady_epoch_clock
from doublevm.parent.watchdog import Stop
from doublevm.verdict import Deny
from doublevm.wire import frames as f
from doublevm.wire.exceptions import as_printed
from doublevm.wire.inner_frames import Error, Later, Settled, Value

if TYPE_CHECKING:
    from doublevm.engines.base import Answer, Engine, Program, Reply
    from doublevm.monitor import Attempt, Monitor
    from doublevm.parent.pipe import HostPipe
    from doublevm.parent.watchdog import Watchdog
    from doublevm.verdict import Verdict

OUTPUT_CHUNK: Final = 64 * 1024
"""Characters of output sent to the host in one frame at most."""


class StoppedError(Exception):
    """The run was stopped while the relay waited for the host."""


class Relay:
    """Carries one run's operations, answers and output."""

    def __init__(
        self, run: f.Run, host: HostPipe, monitor: Monitor, watchdog: Watchdog, engine: Engine
    ) -> None:
        """Carry ``run`` between ``host`` and ``engine``."""
        self._run, self._limits = run.run, run.limits
        self._host, self._monitor, self._watchdog = host, monitor, watchdog
        self._engine = engine
        self._clock = steady_epoch_clock()
        self._calls = 0
        self._denied = 0
        self._open: dict[int, int] = {}
        """Concurrent calls without an answer: our number to the engine's."""
        self._arrived: dict[int, Value | Error] = {}
        """Answers to those, by the engine's number, that the guest has not been given yet."""
        self._printed_bytes = self._printed_lines = 0
        self.denials: dict[str, int] = {}
        """Denied calls, by the line of traceback they would end a program with."""
        self.tool_errors: set[str] = set()
        """Exceptions of tools, likewise."""

    def drive(self, program: Program) -> Done | Failed:
        """Run the program to its end.

        Raises:
            StoppedError, EngineDiedError: it was stopped, or the inner VM died.
        """
        self._monitor.begin_run(self._limits.max_tool_calls)
        step = self._engine.start(program, self._emit)
        while not isinstance(step, Done | Failed):
            reply: Reply = self._call(step) if isinstance(step, Call) else self._wait(step)
            step = self._engine.resume(reply)
        return step

    def _call(self, call: Call) -> Answer:
        self._calls += 1
        attempt, verdict = self._judge(call)
        if isinstance(verdict, Deny):
            return self._deny(call, attempt.args, verdict)
        number, concurrent = self._calls, call.concurrent
        self._host.send(
            f.Call(self._run, number, call.operation, attempt.args, concurrent, call.line)
        )
        if concurrent:
            self._open[number] = call.id
            return Later()
        while True:
            answered, answer = self._receive(self._watchdog.deadline) or self._time_is_up()
            if answered == number:
                return answer
            self._arrived[self._open.pop(answered)] = answer

    def _judge(self, call: Call) -> tuple[Attempt, Verdict]:
        attempt = self._monitor.attempt(call.operation, call.args, call.kwargs, call.problem)
        while isinstance(verdict := self._monitor.decide(attempt, self._clock()), Hold):
            if not self._hold(verdict.seconds):
                denial = self._monitor.give_up(attempt, self._clock())
                self._report(call, attempt.args, denial)
                self._time_is_up()
        return attempt, verdict

    def _hold(self, seconds: float) -> bool:
        """Hold a call back; return whether there was time to. Only this guest waits."""
        left = self._watchdog.deadline - time.monotonic()
        time.sleep(max(0.0, min(seconds, left)))
        return seconds < left

    def _report(self, call: Call, args: bytes, verdict: Deny) -> None:
        name, where = call.operation[:200], (verdict.barrier, verdict.rule, verdict.reason)
        self._host.send(f.Denied(self._run, self._calls, name, args, *where, call.line))

    def _deny(self, call: Call, args: bytes, verdict: Deny) -> Error:
        self._report(call, args, verdict)
        # A wrong argument is a mistake to correct, like any wrong call of a function.
        kind = "TypeError" if verdict.barrier == "arguments" else "PermissionError"
        return self._denial(kind, verdict.message(call.operation[:200]), self._calls)

    def _denial(self, kind: str, message: str, call: int) -> Error:
        self._denied += 1
        if self._denied >= self._limits.max_denied:
            self._watchdog.stop(Stop.DENIALS)
            raise StoppedError
        self.denials[as_printed(kind, message)] = call
        return Error(kind, message)

    def _wait(self, wait: Wait) -> Settled:
        """Answer with everything that has arrived; wait if nothing has."""
        limit = float("inf") if wait.seconds is None else time.monotonic() + wait.seconds
        until = time.monotonic() if self._arrived else min(limit, self._watchdog.deadline)
        while (got := self._receive(until)) is not None:
            number, answer = got
            self._arrived[self._open.pop(number)] = answer
            until = time.monotonic()
        if time.monotonic() >= self._watchdog.deadline:
            self._time_is_up()
        arrived, self._arrived = self._arrived, {}
        return Settled(arrived)

    def _time_is_up(self) -> NoReturn:
        self._watchdog.stop(Stop.TIMEOUT)
        raise StoppedError

    def _receive(self, until: float) -> tuple[int, Value | Error] | None:
        """Return the next answer of this run as (number, answer), or None if time is up.

        An inner VM that dies meanwhile, or speaks out of turn, is noticed at once.
        """
        while (frame := self._host.receive(until, self._engine.watched_fds)) is not None:
            if frame.run != self._run or frame.call > self._calls:
                continue  # of a run that was stopped
            if isinstance(frame, f.Returned):
                return frame.call, Value(frame.value)
            if isinstance(frame, f.Refused):
                return frame.call, self._denial("PermissionError", frame.message, frame.call)
            self.tool_errors.add(as_printed(frame.type_name, frame.message))
            return frame.call, Error(frame.type_name, frame.message)
        self._engine.check()
        return None

    def _emit(self, stream: f.Stream, text: str) -> None:
        """Send on what the guest printed, up to the limits."""
        if self._watchdog.reason is not None:
            return
        self._printed_lines += text.count("\n")
        data = text.encode("utf-8", "backslashreplace")
        room = self._limits.max_output_bytes - self._printed_bytes
        self._printed_bytes += len(data)
        shown = data[:room].decode("utf-8", "ignore")
        for start in range(0, len(shown), OUTPUT_CHUNK):
            self._host.send(f.Output(self._run, stream, shown[start : start + OUTPUT_CHUNK]))
        if len(data) > room:
            self._watchdog.stop(Stop.OUTPUT_BYTES)
        elif self._printed_lines > self._limits.max_prints:
            self._watchdog.stop(Stop.OUTPUT_LINES)
