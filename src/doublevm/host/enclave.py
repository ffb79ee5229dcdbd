"""The sync Enclave and its driver.

The run is driven in a thread of its own while the caller's waits with a clock. So a handler that
never returns keeps only that thread: the caller kills the pair when time is up, and goes on. It
costs one hand-over per run and none per call.
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from doublevm.errors import EngineUnavailable, VMCrashed
from doublevm.host import run as r
from doublevm.host.core import START_SECONDS, EnclaveCore, closed_under_way, settings
from doublevm.host.cores import Lookout, cores
from doublevm.host.holding import OwnPair
from doublevm.host.link import LinkClosedError
from doublevm.host.session import Session
from doublevm.host.threads import threads
from doublevm.host.trail import RunEndedError
from doublevm.levels import SecurityLevel
from doublevm.wire import frames as f

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from types import TracebackType
    from typing import Self

    from doublevm.audit import AuditRecord
    from doublevm.confinement import Confinement
    from doublevm.engine import CPython
    from doublevm.host.handlers import Invocation
    from doublevm.host.holding import Holding
    from doublevm.host.link import PairLink
    from doublevm.host.sinks.base import Sink
    from doublevm.limits import Limits
    from doublevm.policy import DoubleVM
    from doublevm.result import RunResult


class Enclave:
    """Runs programs written by a language model, and lets them call your tools.

    One enclave is one conversation: it runs one program at a time, and earlier runs count for later
    ones. Each run gets a fresh guest; ``session()`` keeps it. Processes start
    with the first run and end with ``close()``, the ``with`` block, or the host.

    Tools run in a thread other than the caller's: one that never returns is abandoned when the run
    ends.

    Raises:
        ConfigError: an option is wrong; the message names it.
    """

    def __init__(  # noqa: PLR0913 - an enclave's options
        self,
        *,
        tools: Iterable[Any] = (),
        tool_handler: Callable[[str, dict[str, Any]], Any] | None = None,
        security_level: SecurityLevel | str = SecurityLevel.STANDARD,
        limits: Limits | None = None,
        double_vm: DoubleVM | None = None,
        engine: str | CPython = "auto",
        inputs: dict[str, Any] | None = None,
        gather_on_one_core: bool = True,
        audit: Sink | Iterable[Sink] | None = None,
    ) -> None:
        """Check the options; start nothing yet.

        Args:
            tools: functions, plain or made by ``@tool``, sync or async.
            tool_handler: ``f(name, args)`` for operations that are not among the tools.
            security_level: a SecurityLevel or its name.
            limits: Limits that override the level's.
            double_vm: settings of the parent VM.
            engine: ``"auto"``, ``"monty"``, ``"cpython"`` or ``CPython(...)``.
            inputs: named values every run starts with.
            gather_on_one_core: whether a run's processes share one core until its guest computes.
            audit: a sink for audit records, or several; they are not closed with the enclave.
        """
        config = settings(
            tools=tools,
            tool_handler=tool_handler,
            security_level=security_level,
            limits=limits,
            double_vm=double_vm,
            engine=engine,
            inputs=inputs,
            gather_on_one_core=gather_on_one_core,
            audit=audit,
        )
        self._begin(EnclaveCore(config), OwnPair(config.kind))

    @classmethod
    def _holding(cls, core: EnclaveCore, held: Holding) -> Self:
        """Return an enclave that holds its pair in another way."""
        enclave = cls.__new__(cls)
        enclave._begin(core, held)  # noqa: SLF001 - this class's own
        return enclave

    def _begin(self, core: EnclaveCore, held: Holding) -> None:
        self._core, self._held = core, held
        weakref.finalize(self, held.abandon)

    def run(
        self,
        program: str,
        *,
        inputs: dict[str, Any] | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        """Run a program in a fresh guest and return how it ended.

        Args:
            program: Python source.
            inputs: named values for this run, on top of the enclave's.
            on_output: called with ``"stdout"`` or ``"stderr"`` and text as it is printed.

        Raises:
            ConfigError: an argument is wrong, the enclave is closed or already running.
            VMError: a VM failed; the enclave stays usable.
        """
        return self._run(program, inputs, on_output, session=False)

    def session(self) -> Session:
        """Return a session, to be used with ``with``: its runs share variables and functions."""
        return Session(self)

    @property
    def history(self) -> tuple[AuditRecord, ...]:
        """Every operation attempted in this enclave, over all its runs."""
        return self._core.trail.records

    @property
    def confinement(self) -> Confinement | None:
        """What confines the VMs; None before the first run."""
        return self._core.confinement

    def tool_stubs(self) -> str:
        """Return the tools as Python stub text with docstrings, for the model's prompt."""
        return self._core.tool_stubs()

    def instructions(self) -> str:
        """Return a short text on the guest's language and limits, for the model's prompt."""
        return self._core.instructions()

    def close(self) -> None:
        """End the enclave's processes. Safe to call twice."""
        self._core.close()
        self._held.close()

    def __enter__(self) -> Self:
        """Return the enclave; it starts with its first run."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the enclave."""
        self.close()

    # --- driving ------------------------------------------------------------------------------

    @property
    def _link(self) -> PairLink | None:
        return self._held.link

    def _run(
        self,
        program: str,
        inputs: dict[str, Any] | None,
        on_output: Callable[[str, str], None] | None,
        *,
        session: bool,
    ) -> RunResult:
        with self._core.running(session=session):
            host_run = self._core.host_run(program, inputs, on_output, session=session)
            try:
                return self._run_on_pair(host_run, session=session)
            finally:
                if not session:
                    self._held.rest()
                if (words := host_run.last_words()) and self._core.recorder is not None:
                    self._core.recorder.write_soon(words, self._held.submit)

    def _run_on_pair(self, host_run: r.HostRun, *, session: bool) -> RunResult:
        link = self._held.live()
        idle = link.greeted and not link.keeps_guest
        try:
            return self._drive(link, host_run, session=session)
        except VMCrashed:
            if not idle or host_run.has_started:
                raise
        # The pair died between two runs, when nothing could be lost.
        return self._drive(self._held.live(), host_run, session=session)

    def _drive(self, link: PairLink, host_run: r.HostRun, *, session: bool) -> RunResult:
        with cores.one(wanted=self._core.config.gather_on_one_core) as core:
            driver = _Driver(link, host_run, self._core, self._held.submit, core)
            try:
                result = driver.result()
                link.keeps_guest = session
                return result
            finally:
                if not driver.ended_well:
                    self._held.drop(kill=True, why=host_run.fault)

    def _end_session(self) -> None:
        self._core.close_session()
        link = self._held.link
        try:
            if link is not None and link.greeted and link.process.ours:
                link.keeps_guest = False
                link.send(f.EndSession())
        except (VMCrashed, LinkClosedError):  # and its guest with it
            self._held.drop(kill=True)
        finally:
            self._held.rest()


class _Driver:
    """Drives one run in a thread and waits for it with a clock."""

    def __init__(
        self,
        link: PairLink,
        host_run: r.HostRun,
        core: EnclaveCore,
        submit: Callable[[Any], Future[Any]],
        cpu: int | None,
    ) -> None:
        self._link, self._run = link, host_run
        self._core, self._submit = core, submit
        self._cpu, self._lookout = cpu, Lookout(link.place, cpu)
        self._done = threading.Event()
        self._result: RunResult | None = None
        self._error: BaseException | None = None
        self._deadline = time.monotonic() + START_SECONDS
        self._started = self._over = False
        self._futures: set[Future[Any]] = set()
        self.ended_well = False
        """Whether the pair can serve another run."""

    def result(self) -> RunResult:
        """Run to the end, or to the deadline."""
        try:
            return self._wait()
        finally:
            self._over = True
            for future in self._futures.copy():
                future.cancel()

    def _wait(self) -> RunResult:
        threads.run(self._drive)
        while not self._done.wait(self._patience()):
            if time.monotonic() >= self._deadline:
                return self._give_up()
            self._lookout.look()
        if self._error is not None:
            raise self._error
        if self._result is None:
            raise closed_under_way()
        self.ended_well = not self._run.spent
        return self._result

    def _patience(self) -> float:
        # The deadline moves once, when the guest has started; until then look again in time.
        left = max(0.0, self._deadline - time.monotonic())
        return min(left, self._lookout.patience if self._started else 0.05)

    def _give_up(self) -> RunResult:
        if not self._started:
            raise EngineUnavailable(f"the VMs did not start within {START_SECONDS:g} s")
        return self._run.timed_out()

    # --- in the driver's thread ---------------------------------------------------------------

    def _drive(self) -> None:
        try:
            self._greet()
            self._link.place.gather(self._cpu)
            self._result = self._steps()
        except (LinkClosedError, RunEndedError):
            pass  # given up on: the caller has its result
        # The border of the thread: what ends it is raised where run() was called.
        except BaseException as error:  # noqa: BLE001
            self._error = error
        finally:
            self._done.set()

    def _greet(self) -> None:
        link, core = self._link, self._core
        if not link.greeted:
            link.send(core.configure())
            link.confinement = core.check_ready(link.next())
            link.greeted = True
        for frame in core.opening(link):
            link.send(frame)

    def _steps(self) -> RunResult:
        steps = self._run.steps()
        effect = next(steps)
        while True:
            answer = self._perform(effect)
            try:
                effect = steps.send(answer)
            except StopIteration as end:
                result: RunResult = end.value
                return result

    def _perform(self, effect: r.Effect) -> Any:
        match effect:
            case r.Send(frame=frame):
                return self._link.send(frame)
            case r.Next():
                self._lookout.heard += 1
                frame = self._link.next()
                self._lookout.heard += 1
                return frame
            case r.Clock(seconds=seconds):
                self._deadline = time.monotonic() + seconds
                self._started = True
                return None
            case r.Keep(entries=entries):
                assert self._core.recorder is not None
                return self._core.recorder.write(entries, self._await)
            case r.Invoke(invocation=invocation, concurrent=False):
                return self._invoke(invocation)
            case r.Invoke(invocation=invocation):
                threads.run(lambda: self._invoke_concurrently(invocation))
                return None

    def _invoke_concurrently(self, invocation: Invocation) -> None:
        try:
            self._link.wake(self._invoke(invocation))
        # The border of the thread: a SystemExit, say, is raised where run() was called.
        except BaseException as error:  # noqa: BLE001
            self._link.wake(r.Escaped(invocation.run, error))

    def _invoke(self, invocation: Invocation) -> r.Finished:
        began = time.monotonic()
        try:
            value = invocation.call_handler()
            if hasattr(value, "__await__"):
                value = self._await(value)
        except (CancelledError, asyncio.CancelledError):  # the handler's own doing, or in vain
            return invocation.raised(RuntimeError("the tool was cancelled"), began)
        # The border to the host's handlers: their exceptions are the guest's to handle.
        except Exception as error:  # noqa: BLE001
            return invocation.raised(error, began)
        return invocation.returned(value, began)

    def _await(self, awaitable: Any) -> Any:
        future = self._submit(awaitable)
        self._futures.add(future)
        if self._over:
            future.cancel()
        try:
            value, error = future.result()
        finally:
            self._futures.discard(future)
        if error is not None:
            raise error
        return value
