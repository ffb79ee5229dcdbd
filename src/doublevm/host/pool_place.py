"""What a worker of the sync pool holds: a pair, none, or one that is being started."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

from doublevm.errors import EngineUnavailable
from doublevm.host.core import START_SECONDS, closed_under_way
from doublevm.host.link import LinkClosedError, PairLink
from doublevm.host.memory import held, members
from doublevm.host.threads import threads
from doublevm.host.zygote import spawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.host.core import EnclaveCore

MEASURED_EVERY: Final = 8
"""Requests of which one has the memory measured: asking the kernel costs a tenth of a short run."""


class Growth:
    """How much the processes of one pair have grown since it was new."""

    def __init__(self, group: int) -> None:
        """Look at a pair that has started all its processes."""
        self._pids = members(group)
        self._first = held(self._pids)
        self._requests = 0

    @property
    def measurable(self) -> bool:
        """Whether the kernel tells."""
        return self._first is not None

    def after_a_request(self) -> int | None:
        """Return the bytes; None if they cannot or need not be measured now."""
        self._requests += 1
        if self._first is None or (self._requests - 1) % MEASURED_EVERY:
            return None
        now = held(self._pids)
        return None if now is None else now - self._first


class Place:
    """Starts pairs in a thread of their own, so that nobody waits for one without end."""

    def __init__(self, core: EnclaveCore) -> None:
        """Start nothing yet. ``core`` greets: what pairs are told is the same for all of a pool."""
        self._core = core
        self._lock = threading.Lock()
        self._starting: Future[PairLink] | None = None
        self._link: PairLink | None = None
        self._retired: PairLink | None = None
        self.growth: Growth | None = None

    def begin(self, begun: Callable[[], None]) -> Future[PairLink]:
        """Have a pair started, unless there is one or it is on its way.

        ``begun`` is called once it is ready; what it raises makes the start fail.
        """
        with self._lock:
            future = self._starting
            if future is None or (future.done() and future.exception() is not None):
                self._starting = future = Future()
                started = future
                threads.run(lambda: self._begin(started, begun))
            return future

    def live(self, begun: Callable[[], None]) -> PairLink:
        """Return the pair, and wait for it if it has to be started.

        Raises:
            VMError: it cannot be started, or the pool was closed meanwhile.
        """
        try:
            return self.begin(begun).result(START_SECONDS)
        except LinkClosedError:
            raise closed_under_way() from None
        except TimeoutError:
            self.drop()
            raise EngineUnavailable(f"the VMs did not start within {START_SECONDS:g} s") from None

    def retire(self) -> None:
        """Have the pair ended by whoever starts the next one. Nobody uses it any more."""
        with self._lock:
            if self._starting is not None and self._starting.done():
                self._retired, self._link, self._starting = self._link, None, None

    def drop(self) -> None:
        """Kill the pair; one that is being started as well."""
        with self._lock:
            links = (self._link, self._retired)
            self._link = self._retired = self._starting = None
        for link in links:
            if link is not None:
                link.close(kill=True)

    def abandon(self) -> None:
        """Kill the pair without waiting for anybody: the pool is gone."""
        for link in (self._link, self._retired):
            if link is not None:
                link.abandon()

    def _begin(self, future: Future[PairLink], begun: Callable[[], None]) -> None:
        link = None
        try:
            link = self._take_place(future)
            link.send(self._core.configure())
            link.confinement = self._core.check_ready(link.next())
            link.greeted = True
            self.growth = Growth(link.process.pid)
            begun()
        # The border of the thread: raised where the pair is waited for, if it is.
        except BaseException as error:  # noqa: BLE001
            if link is not None:
                link.close(kill=True)
            future.set_exception(error)
        else:
            future.set_result(link)

    def _take_place(self, future: Future[PairLink]) -> PairLink:
        with self._lock:
            retired, self._retired = self._retired, None
        if retired is not None:
            retired.close(kill=True)
        link = PairLink(spawn(self._core.config.kind))
        with self._lock:
            if self._starting is future:
                self._link = link
                return link
        link.close(kill=True)
        raise LinkClosedError
