"""The AsyncEnclave and its driver: the same run, driven by an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from doublevm.errors import EngineUnavailable, VMCrashed, VMError
from doublevm.guard_options import LEVEL_GUARD
from doublevm.host import effects
from doublevm.host import run as r
from doublevm.host.aioholding import OwnAsyncPair
from doublevm.host.aiolink import in_thread
from doublevm.host.aiorecorder import end, keep
from doublevm.host.consulting import aconsult
from doublevm.host.core import START_SECONDS, EnclaveCore
from doublevm.host.cores import Lookout, cores
from doublevm.host.recorder import LAST_WORDS
from doublevm.host.settings import settings
from doublevm.levels import SecurityLevel, Unsaid
from doublevm.wire import frames as f

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

    from doublevm.audit import AuditRecord
    from doublevm.confinement import Confinement
    from doublevm.engine import CPython
    from doublevm.guard_options import Guard
    from doublevm.host.aioholding import AsyncHolding
    from doublevm.host.aiolink import AsyncPairLink
    from doublevm.host.handlers import Invocation
    from doublevm.host.policy_file.values import Policy
    from doublevm.host.sinks.base import Sink
    from doublevm.host.steps import Steps
    from doublevm.limits import Limits
    from doublevm.policy import DoubleVM
    from doublevm.result import CheckReport, RunResult
    from doublevm.scoring_options import ScoringGate

R = TypeVar("R")


class AsyncEnclave:
    """The Enclave for asyncio: ``async with``, ``await enclave.run(...)``, otherwise the same.

    Async tools run in your event loop and are cancelled when a run ends; sync tools run in threads,
    so that the loop stays free.

    Raises:
        ConfigError: an option is wrong; the message names it.
    """

    def __init__(  # noqa: PLR0913 - one parameter an option
        self,
        *,
        tools: Iterable[Any] = (),
        tool_handler: Callable[[str, dict[str, Any]], Any] | None = None,
        security_level: SecurityLevel | str | Unsaid = Unsaid.LEVEL,
        limits: Limits | None = None,
        double_vm: DoubleVM | None = None,
        engine: str | CPython = "auto",
        inputs: dict[str, Any] | None = None,
        guard: Guard | None = LEVEL_GUARD,
        scoring_gate: ScoringGate | None = None,
        gather_on_one_core: bool = True,
        audit: Sink | Iterable[Sink] | None = None,
        policy: Policy | str | os.PathLike[str] | None = None,
    ) -> None:
        """Check the options, which are those of Enclave; start nothing yet."""
        config = settings(
            tools=tools,
            tool_handler=tool_handler,
            security_level=security_level,
            limits=limits,
            double_vm=double_vm,
            engine=engine,
            inputs=inputs,
            guard=guard,
            scoring_gate=scoring_gate,
            gather_on_one_core=gather_on_one_core,
            audit=audit,
            policy=policy,
        )
        self._begin(EnclaveCore(config), OwnAsyncPair(config.kind))

    @classmethod
    def _holding(cls, core: EnclaveCore, held: AsyncHolding) -> Self:
        """Return an enclave that holds its pair in another way."""
        enclave = cls.__new__(cls)
        enclave._begin(core, held)  # noqa: SLF001 - this class's own
        return enclave

    def _begin(self, core: EnclaveCore, held: AsyncHolding) -> None:
        self._core, self._held = core, held
        weakref.finalize(self, held.abandon)

    async def run(
        self,
        program: str,
        *,
        inputs: dict[str, Any] | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        """Run a program in a fresh guest and return how it ended; see ``Enclave.run``."""
        return await self._run(program, inputs, on_output, session=False)

    async def check(self, program: str, *, inputs: dict[str, Any] | None = None) -> CheckReport:
        """Read a program as ``run`` does, without running it; see ``Enclave.check``."""
        session = self._core.in_session
        with self._core.running(session=session):
            check = self._core.host_check(program, inputs)
            return await self._run_on_pair(check, session=session)

    def session(self) -> AsyncSession:
        """Return a session, to be used with ``async with``: its runs share a guest."""
        return AsyncSession(self)

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

    async def close(self) -> None:
        """End the enclave's processes. Safe to call twice."""
        self._core.close()
        await self._held.close()

    async def __aenter__(self) -> Self:
        """Return the enclave; it starts with its first run."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the enclave."""
        await self.close()

    # --- driving ------------------------------------------------------------------------------

    @property
    def _link(self) -> AsyncPairLink | None:
        return self._held.link

    async def _run(
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
                return await self._run_on_pair(host_run, session=session)
            finally:
                if not session:
                    self._held.rest()
                await self._keep_last_words(host_run)

    async def _keep_last_words(self, host_run: r.HostRun) -> None:
        recorder, entries = self._core.recorder, host_run.last_words()
        if recorder is not None and (entries or recorder.is_behind):
            # A sink that hangs must not keep a run that was given up from ending.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS):
                    await end(recorder, entries)

    async def _run_on_pair(self, host_run: Steps[R], *, session: bool) -> R:
        link = await self._held.live()
        idle = link.greeted and not link.keeps_guest
        try:
            return await self._drive(link, host_run, session=session)
        except VMCrashed:
            if not idle or host_run.has_started:
                raise
        # The pair died between two runs, when nothing could be lost.
        return await self._drive(await self._held.live(), host_run, session=session)

    async def _drive(self, link: AsyncPairLink, host_run: Steps[R], *, session: bool) -> R:
        with cores.one(wanted=self._core.config.gather_on_one_core) as core:
            driver = _AsyncDriver(link, host_run, self._core, core)
            try:
                result = await driver.result()
                link.keeps_guest = session
                return result
            finally:
                if not driver.ended_well:
                    link.process.kill()
                    await self._held.drop(kill=True, why=host_run.fault)

    async def _end_session(self) -> None:
        self._core.close_session()
        link = self._held.link
        try:
            if link is not None and link.greeted and link.process.ours:
                link.keeps_guest = False
                await link.send(f.EndSession())
        except VMError:  # it died, or was closed, and its guest with it
            await self._held.drop(kill=True)
        finally:
            self._held.rest()


class AsyncSession:
    """Runs that share a guest; see ``Session``."""

    def __init__(self, enclave: AsyncEnclave) -> None:
        """Belong to ``enclave``."""
        self._enclave = enclave

    async def run(
        self,
        program: str,
        *,
        inputs: dict[str, Any] | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        """Run a program in the session's guest; as ``AsyncEnclave.run`` otherwise."""
        return await self._enclave._run(program, inputs, on_output, session=True)  # noqa: SLF001

    async def __aenter__(self) -> Self:
        """Open the session; its guest starts with its first run."""
        self._enclave._core.open_session()  # noqa: SLF001
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Discard the guest."""
        await self._enclave._end_session()  # noqa: SLF001


class _AsyncDriver(Generic[R]):
    """Drives one run in the event loop."""

    def __init__(
        self, link: AsyncPairLink, host_run: Steps[R], core: EnclaveCore, cpu: int | None
    ) -> None:
        self._link, self._run, self._core = link, host_run, core
        self._cpu, self._lookout = cpu, Lookout(link.place, cpu)
        self._next_look: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = False
        self.ended_well = False
        """Whether the pair can serve another run."""

    async def result(self) -> R:
        """Run to the end, or to the deadline."""
        try:
            async with asyncio.timeout(START_SECONDS) as self._clock:
                await self._greet()
                # The loop's own thread stays where it is: it has others to serve.
                self._link.place.gather(self._cpu)
                self._look()
                result = await self._steps()
                self.ended_well = not self._run.spent
                return result
        except TimeoutError:
            if not self._clock.expired():
                raise
            if not self._started:
                raise EngineUnavailable(
                    f"the VMs did not start within {START_SECONDS:g} s"
                ) from None
            return self._run.timed_out()
        finally:
            if self._next_look is not None:
                self._next_look.cancel()
            for task in self._tasks:
                task.cancel()

    def _look(self) -> None:
        self._lookout.look()
        if (patience := self._lookout.patience) != float("inf"):
            self._next_look = self._link.loop.call_later(patience, self._look)

    async def _greet(self) -> None:
        link, core = self._link, self._core
        if not link.greeted:
            await link.send(core.configure())
            link.confinement = core.check_ready(await link.next())
            link.greeted = True
        for frame in core.opening(link):
            await link.send(frame)

    async def _steps(self) -> R:
        steps = self._run.steps()
        answer = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration as end:
                result: R = end.value
                return result
            answer = await self._perform(effect)

    async def _perform(self, effect: effects.Effect) -> Any:
        match effect:
            case effects.Send(frame=frame):
                return await self._link.send(frame)
            case effects.Next():
                self._lookout.heard += 1
                frame = await self._link.next()
                self._lookout.heard += 1
                return frame
            case effects.Clock(seconds=seconds):
                self._started = True
                self._clock.reschedule(self._link.loop.time() + seconds)
                return None
            case effects.Consult(ask=ask, seconds=seconds):
                self._clock.reschedule(self._link.loop.time() + seconds + START_SECONDS)
                return await aconsult(ask, seconds)
            case effects.Keep(entries=entries, kept=kept):
                assert self._core.recorder is not None
                return await keep(self._core.recorder, entries, kept)
            case effects.Invoke(invocation=invocation, concurrent=False):
                return await self._invoke(invocation)
            case effects.Invoke(invocation=invocation):
                task = asyncio.create_task(self._invoke_concurrently(invocation))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return None

    async def _invoke_concurrently(self, invocation: Invocation) -> None:
        try:
            self._link.wake(await self._invoke(invocation))
        except asyncio.CancelledError:
            raise
        # The border of the task: a SystemExit, say, is raised where run() was awaited.
        except BaseException as error:  # noqa: BLE001
            self._link.wake(effects.Escaped(invocation.run, error))

    async def _invoke(self, invocation: Invocation) -> effects.Finished:
        began = time.monotonic()
        try:
            if invocation.tool.is_async:
                value = invocation.call_handler()
            else:
                value = await in_thread(invocation.call_handler)
            if hasattr(value, "__await__"):
                value = await value
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # The handler's own doing: nobody has cancelled this run.
            return invocation.raised(RuntimeError("the tool was cancelled"), began)
        # The border to the host's handlers: their exceptions are the guest's to handle.
        except Exception as error:  # noqa: BLE001
            return invocation.raised(error, began)
        return invocation.returned(value, began)
