"""How an async enclave holds its pair; see ``host/holding.py``."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Protocol

from doublevm.host.aiolink import AsyncPairLink, in_thread, start_pair
from doublevm.host.core import closed_under_way
from doublevm.host.zygote import spawn

if TYPE_CHECKING:
    from doublevm.host.holding import Fault
    from doublevm.host.zygote import Kind


class AsyncHolding(Protocol):
    """What an async enclave asks of whatever holds its pair."""

    link: AsyncPairLink | None
    """The pair, while there is one."""

    async def live(self) -> AsyncPairLink:
        """Return a pair for the next run; start or wait for one if there is none."""

    async def drop(self, *, kill: bool, why: Fault = "failed") -> None:
        """End the pair."""

    def rest(self) -> None:
        """Take note that no run and no session needs the pair for now."""

    async def close(self) -> None:
        """End the pair; there will be no other."""

    def abandon(self) -> None:
        """Kill the pair: its enclave is gone."""


class OwnAsyncPair:
    """The pair of an enclave that has it to itself."""

    def __init__(self, kind: Kind) -> None:
        """Start nothing yet; ``kind`` says what pairs are made of."""
        self.link: AsyncPairLink | None = None
        self._kind = kind
        self._owner = os.getpid()
        self._closed = False

    async def live(self) -> AsyncPairLink:
        """Return the pair, started if there is none."""
        if self._owner != os.getpid():  # a fork: the pair is the other process's
            self.link, self._owner = None, os.getpid()
        if self.link is not None and self.link.loop is not asyncio.get_running_loop():
            await self.drop(kill=True)
        if self.link is None:
            process = await start_pair(lambda: spawn(self._kind))
            if self._closed:
                process.close(kill=True)
                raise closed_under_way()
            self.link = AsyncPairLink(process)
        return self.link

    async def drop(
        self,
        *,
        kill: bool,
        why: Fault = "failed",  # noqa: ARG002 - a pool asks why
    ) -> None:
        """End the pair; the next run starts another."""
        link, self.link = self.link, None
        if link is None or self._owner != os.getpid():
            return
        if kill:
            link.close(kill=True)
        else:
            link.stop_listening()
            await in_thread(lambda: link.close(kill=False))

    def rest(self) -> None:
        """Keep the pair: nobody else wants it."""

    async def close(self) -> None:
        """End the pair, and a run under way with it."""
        self._closed = True
        if self.link is not None:
            self.link.wake(closed_under_way())
        await self.drop(kill=False)

    def abandon(self) -> None:
        """Kill the pair."""
        link, self.link = self.link, None
        if link is not None:
            link.abandon()
