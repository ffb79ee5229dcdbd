"""The AsyncEnclavePool."""

from __future__ import annotations

import asyncio
import os
import weakref
from typing import TYPE_CHECKING, Any

from doublevm.errors import ConfigError
from doublevm.host.aio import AsyncEnclave
from doublevm.host.aiopool_crew import AsyncCrew, LentAsyncPair
from doublevm.host.pool_base import PoolBase
from doublevm.host.pool_core import PoolCore

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from doublevm.host.pool_values import PoolStats
    from doublevm.result import RunResult


class AsyncEnclavePool(PoolBase):
    """The EnclavePool for asyncio: ``async with``, ``await pool.run(...)``, otherwise the same.

    Any number of tasks of one event loop may use it at once.

    Raises:
        ConfigError: an option is wrong; the message names it.
    """

    _crew: AsyncCrew | None
    _closed: bool

    async def run(
        self,
        program: str,
        *,
        inputs: dict[str, Any] | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        """Run a program in a conversation of its own; see ``EnclavePool.run``."""
        async with self.enclave() as enclave:
            return await enclave.run(program, inputs=inputs, on_output=on_output)

    def enclave(self) -> AsyncEnclave:
        """Return an enclave that borrows a worker for each run, or for a session."""
        held = LentAsyncPair(self._crew_here)
        return AsyncEnclave._holding(self._conversation(), held)  # noqa: SLF001

    @property
    def stats(self) -> PoolStats:
        """The pool at this moment, and what it has done so far."""
        return self._crew.stats if self._crew else PoolCore(self._limits, lambda: 0.0).stats

    async def close(self) -> None:
        """Refuse who waits, let runs under way end for a while, kill the rest. Safe to call twice.

        Raises nothing for runs that it kills: they raise VMError where they were awaited.
        """
        self._closed = True
        if self._crew is not None and self._crew.owner == os.getpid():
            await self._crew_here().close()

    async def __aenter__(self) -> Self:
        """Return the pool; ``min_workers`` are started in the background."""
        self._crew_here().warm_up()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the pool."""
        await self.close()

    def _begin(self) -> None:
        self._crew, self._closed = None, False

    def _crew_here(self) -> AsyncCrew:
        """Return the workers of the running loop; those of one that has ended are killed.

        Raises:
            ConfigError: the pool is closed, or another loop still uses it.
        """
        crew, loop = self._crew, asyncio.get_running_loop()
        if crew is not None and crew.owner == os.getpid() and crew.loop is not loop:
            if crew.loop.is_running():
                raise ConfigError("the pool belongs to another event loop; make one for each")
            crew.abandon()
            crew = None
        if crew is None or crew.owner != os.getpid():
            if self._closed and crew is None:
                raise ConfigError("the pool is closed; make a new one")
            self._crew = crew = AsyncCrew(self._limits, self._core)
            weakref.finalize(self, crew.abandon)
        return crew
