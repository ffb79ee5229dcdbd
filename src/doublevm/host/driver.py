"""The sync driver: one run in a thread of its own, and a clock in the caller's."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from doublevm.errors import EngineUnavailable
from doublevm.host import effects
from doublevm.host.consulting import consult
from doublevm.host.core import START_SECONDS, closed_under_way
from doublevm.host.cores import Lookout
from doublevm.host.link import LinkClosedError
from doublevm.host.recorder import waiting_by
from doublevm.host.threads import threads
from doublevm.host.trail import RunEndedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from doublevm.host.core import EnclaveCore
    from doublevm.host.handlers import Invocation
    from doublevm.host.link import PairLink
    from doublevm.host.steps import Steps

R = TypeVar("R")


class Driver(Generic[R]):
    """Drives one run in a thread and waits for it with a clock."""

    def __init__(
        self,
        link: PairLink,
        host_run: Steps[R],
        core: EnclaveCore,
        submit: Callable[[Any], Future[Any]],
        cpu: int | None,
    ) -> None:
        """Drive ``host_run`` over ``link``, gathered on the core ``cpu``.

        ``submit`` awaits what handlers give to await.
        """
        self._link, self._run = link, host_run
        self._core, self._submit = core, submit
        self._cpu, self._lookout = cpu, Lookout(link.place, cpu)
        self._done = threading.Event()
        self._result: R | None = None
        self._error: BaseException | None = None
        self._deadline = time.monotonic() + START_SECONDS
        self._started = self._over = False
        self._futures: set[Future[Any]] = set()
        self.ended_well = False
        """Whether the pair can serve another run."""

    def result(self) -> R:
        """Run to the end, or to the deadline."""
        try:
            return self._wait()
        finally:
            self._over = True
            for future in self._futures.copy():
                future.cancel()

    def _wait(self) -> R:
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

    def _give_up(self) -> R:
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

    def _steps(self) -> R:
        steps = self._run.steps()
        answer = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration as end:
                result: R = end.value
                return result
            answer = self._perform(effect)

    def _perform(self, effect: effects.Effect) -> Any:
        match effect:
            case effects.Send(frame=frame):
                return self._link.send(frame)
            case effects.Next():
                self._lookout.heard += 1
                frame = self._link.next()
                self._lookout.heard += 1
                return frame
            case effects.Clock(seconds=seconds):
                self._deadline = time.monotonic() + seconds
                self._started = True
                return None
            case effects.Consult(ask=ask, seconds=seconds):
                self._deadline = time.monotonic() + seconds + START_SECONDS
                return consult(ask, seconds, self._await)
            case effects.Keep(entries=entries, kept=kept):
                assert self._core.recorder is not None
                return self._core.recorder.write(entries, waiting_by(self._submit), kept)
            case effects.Invoke(invocation=invocation, concurrent=False):
                return self._invoke(invocation)
            case effects.Invoke(invocation=invocation):
                threads.run(lambda: self._invoke_concurrently(invocation))
                return None

    def _invoke_concurrently(self, invocation: Invocation) -> None:
        try:
            self._link.wake(self._invoke(invocation))
        # The border of the thread: a SystemExit, say, is raised where run() was called.
        except BaseException as error:  # noqa: BLE001
            self._link.wake(effects.Escaped(invocation.run, error))

    def _invoke(self, invocation: Invocation) -> effects.Finished:
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
