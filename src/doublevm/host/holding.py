"""How a sync enclave holds its pair, and the loop that its async handlers run in.

An enclave of its own has a pair to itself, from its first run to its end. One that a pool has given
borrows a pair for each run (``host/pool.py``). The enclave does not know which of the two it is.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Protocol

from doublevm.host.link import PairLink
from doublevm.host.threads import HandlerLoop
from doublevm.host.zygote import spawn

if TYPE_CHECKING:
    from concurrent.futures import Future

    from doublevm.host.zygote import Kind

Fault = Literal["spent", "flood", "failed"]
"""Why a pair had to be ended: its guest was killed, its guest flooded the host, or it failed."""


class Holding(Protocol):
    """What an enclave asks of whatever holds its pair."""

    link: PairLink | None
    """The pair, while there is one."""

    def live(self) -> PairLink:
        """Return a pair for the next run; start or wait for one if there is none."""

    def drop(self, *, kill: bool, why: Fault = "failed") -> None:
        """End the pair."""

    def rest(self) -> None:
        """Take note that no run and no session needs the pair for now."""

    def submit(self, awaitable: Any) -> Future[tuple[Any, BaseException | None]]:
        """Run what an async handler gave."""

    def close(self) -> None:
        """End the pair; there will be no other."""

    def abandon(self) -> None:
        """Kill the pair: its enclave is gone."""


class OwnPair:
    """The pair of an enclave that has it to itself."""

    def __init__(self, kind: Kind) -> None:
        """Start nothing yet; ``kind`` says what pairs are made of."""
        self.link: PairLink | None = None
        self._kind = kind
        self._loop = HandlerLoop()
        self._owner = os.getpid()

    def live(self) -> PairLink:
        """Return the pair, started if there is none."""
        if self._owner != os.getpid():  # a fork: the pair is the other process's
            self.link, self._loop, self._owner = None, HandlerLoop(), os.getpid()
        if self.link is None:
            self.link = PairLink(spawn(self._kind))
        return self.link

    def drop(self, *, kill: bool, why: Fault = "failed") -> None:  # noqa: ARG002 - a pool asks why
        """End the pair; the next run starts another."""
        link, self.link = self.link, None
        if link is not None and self._owner == os.getpid():
            link.close(kill=kill)

    def rest(self) -> None:
        """Keep the pair: nobody else wants it."""

    def submit(self, awaitable: Any) -> Future[tuple[Any, BaseException | None]]:
        """Run what an async handler gave, in a loop that lives as long as the enclave."""
        return self._loop.submit(awaitable)

    def close(self) -> None:
        """End the pair and the loop."""
        self.drop(kill=False)
        if self._owner == os.getpid():
            self._loop.close()

    def abandon(self) -> None:
        """Kill the pair."""
        self.drop(kill=True)
