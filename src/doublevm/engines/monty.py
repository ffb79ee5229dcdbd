"""The monty engine: drives the worker process of pydantic-monty.

The synchronous client is used with ``feed_start`` and ``resume``, one step at a time, so that every
suspension passes through here. Memory is limited by the worker; time by ``kill``, because a worker
that loops does not look at its pipe.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

from doublevm.awaiting import awaited_calls
from doublevm.engines.base import (
    Call,
    Done,
    EngineDiedError,
    EngineStartError,
    Failed,
    Program,
    Reply,
    Step,
    Wait,
)
from doublevm.engines.monty_tools import MontyTools
from doublevm.engines.usage import UsageReader
from doublevm.guest_traceback import GuestFrame, render
from doublevm.jail.rlimits import forbid_new_resources_to, limit_data_of
from doublevm.wire.codec import CodecError, decode, encode
from doublevm.wire.frames import Usage
from doublevm.wire.inner_frames import Error, Later, Settled, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    import pydantic_monty

MAX_SUSPENSIONS: Final = 2**31
"""Tool calls are limited by the parent's budget; monty's own limit is put out of the way."""

LONGEST_SLEEP: Final = 1e6
"""Seconds; more than any timeout, and no more than the system can wait for at once."""

MEMORY_FACTOR: Final = 2
MEMORY_MARGIN: Final = 64 * 1024 * 1024
"""How much more than a guest may take its worker can map, by the kernel's count: the worker counts
values, and not what their allocator and the frames that carry them need besides."""

BACKSTOP_SECONDS: Final = 2.0
"""Past the run's timeout, when the worker stops itself: only should nobody be there to kill it."""


class MontyEngine:
    """One monty worker, a fresh session for each run."""

    name: Final = "monty"

    def __init__(self, binary: str | None, memory: int, *, frozen_clock: bool = False) -> None:
        """Load the client library; start nothing yet.

        Args:
            binary: the worker's path, if it was found.
            memory: bytes that its guests may take.
            frozen_clock: whether the time stands still for a guest.
        """
        self._frozen_clock = frozen_clock
        self._memory = memory
        import pydantic_monty  # noqa: PLC0415 - 15 ms that cpython runs need not pay

        self._client = pydantic_monty
        # Held open, so that it can be executed by a uid that may not look where it lies.
        self._binary: int | None = None
        self.program = ""
        """The path to execute the worker by; empty if it is not installed."""
        if binary is not None:
            self._binary = os.open(binary, os.O_RDONLY | os.O_CLOEXEC)
            on_linux = sys.platform == "linux"
            self.program = f"/proc/self/fd/{self._binary}" if on_linux else binary
        self._pool: pydantic_monty.Monty | None = None
        self._session: pydantic_monty.MontySession | None = None
        self._pid: int | None = None
        self._pidfd: int | None = None
        self._snapshot: Any = None
        self._problem = EngineStartError("the monty engine has ended")
        self._stuck = False
        self._stopped = threading.Event()
        self._before = Usage(0.0, 0)

    def begin(self) -> None:
        """Start the worker. What fails is told by ``prepare``, if it ever comes to that."""
        try:
            self._start_worker()
        # The border to pydantic-monty: whatever fails there is one thing to us.
        except Exception as error:  # noqa: BLE001
            self._problem = EngineStartError(f"the monty engine cannot start: {error}")
            self.close()

    def prepare(self, memory: int, timeout: float, *, keep: bool) -> None:  # noqa: ARG002 - cpython asks
        """Check out a fresh session, unless one is being kept."""
        if self._session is not None:
            return
        if self._pool is None:
            raise self._problem
        self.check()
        try:
            self._check_out(memory, timeout)
        # As above.
        except Exception as error:
            raise EngineStartError(f"the monty engine cannot start: {error}") from error

    def _start_worker(self) -> None:
        if self._binary is None:
            raise FileNotFoundError("its worker is missing; install pydantic-monty")
        pool = self._client.Monty(
            binary_path=self.program, min_processes=1, max_processes=1, checkout_timeout=20
        )
        self._pool = pool.__enter__()
        os.close(self._binary)
        # A first session tells which process it is, and loads what is loaded late.
        with self._pool.checkout(script_name="program") as session:
            session.feed_start("1")
            self._pid = session.worker_pid
        if self._pid is not None and hasattr(os, "pidfd_open"):
            self._pidfd = os.pidfd_open(self._pid)
            self._usage = UsageReader(self._pid)
            forbid_new_resources_to(self._pid)
            most = self._usage.data() + self._memory * MEMORY_FACTOR + MEMORY_MARGIN
            limit_data_of(self._pid, most)

    def _check_out(self, memory: int, timeout: float) -> None:
        assert self._pool is not None
        policy: pydantic_monty.OSPolicy = {"sleep": "call_host"}
        if self._frozen_clock:
            policy["datetime"] = datetime.now(UTC)
        session = self._pool.checkout(
            script_name="program",
            limits={
                "max_memory": memory,
                "max_suspensions": MAX_SUSPENSIONS,
                "max_feed_duration_secs": timeout + BACKSTOP_SECONDS,
            },
            os_policy=policy,
        )
        self._session = session.__enter__()
        self._awaited: dict[str, frozenset[int]] = {}
        self._feed = ""

    def rest(self) -> None:
        """Do nothing: a session is checked out in no time."""

    def start(self, program: Program, emit: Callable[[Any, str], None]) -> Step:
        """Feed the program to the session."""
        assert self._session is not None
        assert self._pid is not None
        self._before = self._usage.read()
        if not self._awaited:  # a session's later programs hold the namespaces of earlier ones
            self._tools = MontyTools(program.tools)
        self._timers: dict[int, float] = {}
        # Monty numbers the feeds of a session, but for empty ones; a function may be called from a
        # later one.
        source = program.source or "\n"
        self._feed = f"<python-input-{len(self._awaited)}>"
        self._source = source.encode()
        self._awaited[self._feed] = _byte_offsets(self._source, awaited_calls(program.tree))
        session, inputs = self._session, decode(program.inputs, uuid=self._tools.wrap_uuid)
        return self._steps(lambda: session.feed_start(source, inputs=inputs, print_callback=emit))

    def resume(self, reply: Reply) -> Step:
        """Answer the suspended call or the wait."""
        snapshot = self._snapshot
        if isinstance(reply, Settled):
            settled = {number: self._result(answer) for number, answer in reply.answers.items()}
            settled |= self._due()
            if not settled:
                return self._wait()
            return self._steps(lambda: snapshot.resume(settled))
        return self._steps(lambda: snapshot.resume(self._result(reply)))

    @property
    def watched_fds(self) -> tuple[int, ...]:
        """The worker's pidfd, readable once it has ended."""
        return () if self._pidfd is None else (self._pidfd,)

    @property
    def spent(self) -> bool:
        """Whether the worker is gone or of no use; another one is not started."""
        return self._stuck or self._stopped.is_set()

    def check(self) -> None:
        """Say so if the worker has ended."""
        if self._pidfd is not None and select.select([self._pidfd], [], [], 0)[0]:
            raise EngineDiedError("the monty worker died")

    def kill(self) -> None:
        """Kill the worker."""
        self._stopped.set()
        with contextlib.suppress(ProcessLookupError):
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            elif self._pid is not None:
                os.kill(self._pid, signal.SIGKILL)

    def finish(self, *, keep: bool) -> Usage:
        """Give the session back, unless it is kept."""
        if self._pid is None:
            return Usage(0.0, 0)
        now = self._usage.read()
        if not keep or self._stuck or self._stopped.is_set():
            self._check_in()
        return Usage(max(0.0, now.cpu_time - self._before.cpu_time), now.peak_memory)

    def _check_in(self) -> None:
        session, self._session = self._session, None
        self._snapshot = None
        if session is not None:
            try:
                session.__exit__(None, None, None)
            # The border to pydantic-monty: a dead worker may be reported here again.
            except Exception:  # noqa: BLE001
                self.close()

    def close(self) -> None:
        """End the worker."""
        self._session = None
        self._forget_worker()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.__exit__(None, None, None)

    def _forget_worker(self) -> None:
        pidfd, self._pid, self._pidfd = self._pidfd, None, None
        if pidfd is not None:
            os.close(pidfd)

    # --- one step after another ---------------------------------------------------------------

    def _steps(self, advance: Callable[[], Any]) -> Step:
        """Run until something happens that the parent must see."""
        m = self._client
        try:
            snapshot = advance()
            while True:
                step, advance = self._look(snapshot, m)
                if step is not None:
                    return step
                snapshot = advance()
        except m.MontyCrashedError as error:
            self._stopped.set()
            raise EngineDiedError(f"the monty worker died: {error}") from None
        except m.MontySyntaxError as error:
            return _syntax_failure(error)
        except m.MontyRuntimeError as error:
            return _failure(error)
        except EngineDiedError:  # while the guest slept
            raise
        # The border to pydantic-monty: a value it cannot convert, in the middle of a feed.
        except Exception as error:  # noqa: BLE001
            self._stuck = True  # and with it, its worker
            return Failed("value", type(error).__name__, f"{type(error).__name__}: {error}")

    def _look(self, snapshot: Any, m: Any) -> tuple[Step | None, Callable[[], Any]]:
        """Return the step this snapshot is, or else how to go on from it."""
        self._snapshot = snapshot
        if isinstance(snapshot, m.FunctionSnapshot):
            if snapshot.is_os_function:
                return None, lambda: self._os_call(snapshot)
            return self._call(snapshot)
        if isinstance(snapshot, m.NameLookupSnapshot):
            found = self._tools.look_up(snapshot)
            return None, lambda: snapshot.resume(**found)
        if isinstance(snapshot, m.FutureSnapshot):
            return self._wait(), _never
        return self._done(snapshot.output), _never

    def _call(self, snapshot: Any) -> tuple[Step | None, Callable[[], Any]]:
        try:
            operation, args, kwargs = self._tools.call(snapshot)
        except (NameError, AttributeError, TypeError) as error:
            wrong = {"exception": error}
            return None, lambda: snapshot.resume(wrong)
        place = snapshot.position
        concurrent = place.start in self._awaited.get(place.filename, ())
        # Of what an earlier program of the session, or a string, has called there is no line here.
        line = _line(self._source, place.start) if place.filename == self._feed else 0
        return Call(snapshot.call_id, operation, args, kwargs, concurrent, line=line), _never

    def _os_call(self, snapshot: Any) -> Any:
        """Answer what the guest asks of its system: sleeping is all there is."""
        if snapshot.function_name == "time.sleep":
            self._sleep(_seconds(snapshot.args[0]))
            return snapshot.resume({"return_value": None})
        if snapshot.function_name == "asyncio.sleep":
            self._timers[snapshot.call_id] = time.monotonic() + _seconds(snapshot.args[0])
            return snapshot.resume({"future": ...})
        return snapshot.resume_not_handled()

    def _sleep(self, seconds: float) -> None:
        if self._pidfd is not None:
            select.select([self._pidfd], [], [], seconds)
            self.check()
        elif self._stopped.wait(seconds):
            raise EngineDiedError("killed while the guest slept")

    def _wait(self) -> Wait:
        if not self._timers:
            return Wait(None)
        return Wait(max(0.0, min(self._timers.values()) - time.monotonic()))

    def _due(self) -> dict[int, Any]:
        now = time.monotonic()
        due = [number for number, at in self._timers.items() if at <= now]
        for number in due:
            del self._timers[number]
        return {number: {"return_value": None} for number in due}

    def _done(self, output: Any) -> Step:
        try:
            return Done(encode(output, "the program's value"))
        except CodecError as error:
            return Failed("value", "TypeError", f"TypeError: {error}")

    def _result(self, answer: Value | Error | Later) -> Any:
        match answer:
            case Later():
                return {"future": ...}
            case Value(value=payload):
                return {"return_value": decode(payload, uuid=self._tools.wrap_uuid)}
            case Error(type_name=kind, message=message):
                return {"exc_type": kind, "message": message}


def _seconds(value: Any) -> float:
    """Return how long to sleep: for ever is longer than any run."""
    return min(max(0.0, float(value)), LONGEST_SLEEP)


def _never() -> NoReturn:
    raise AssertionError("a step was answered by nobody")


def _line(source: bytes, offset: int) -> int:
    """Return the line that an offset is in: Python's lines end with LF, CR or both."""
    ends = source.count(b"\n", 0, offset) + source.count(b"\r", 0, offset)
    return ends - source.count(b"\r\n", 0, offset) + 1


def _byte_offsets(source: bytes, places: frozenset[tuple[int, int]]) -> frozenset[int]:
    """Turn places into the offsets that monty names positions by."""
    if not places:
        return frozenset()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return frozenset(starts[line - 1] + column for line, column in places)


def _syntax_failure(error: Any) -> Failed:
    frames = error.traceback()
    line = frames[-1].line if frames else 0
    return Failed("syntax", "SyntaxError", f"SyntaxError: {error}", line)


def _failure(error: Any) -> Failed:
    inner = error.exception()
    frames = [
        GuestFrame(frame.line, frame.function_name or "<module>", frame.source_line or "")
        for frame in error.traceback()
    ]
    name = type(inner).__name__
    message = f"{name}: {inner}" if str(inner) else name
    memory = isinstance(inner, MemoryError)
    return Failed(
        "memory" if memory else "exception",
        name,
        message,
        frames[-1].line if frames else 0,
        render(frames, message),
    )
