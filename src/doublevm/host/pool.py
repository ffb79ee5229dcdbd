"""The sync EnclavePool."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any

from doublevm.host.enclave import Enclave
from doublevm.host.pool_base import PoolBase
from doublevm.host.pool_crew import Crew, LentPair

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from doublevm.host.pool_values import PoolStats
    from doublevm.result import RunResult


class EnclavePool(PoolBase):
    """Warm pairs of VMs for many programs, each in a conversation of its own.

    Any number of threads may use it at once. ``run`` is for a program that stands alone,
    ``enclave`` for a conversation of several. What one of them does is nothing to another: its
    guest, rate, sequences and audit trail are its own. While all workers are busy, requests wait in
    the order they came; when too many wait, or one waits too long, it is refused.

    Raises:
        ConfigError: an option is wrong; the message names it.
    """

    _crew: Crew

    def run(
        self,
        program: str,
        *,
        inputs: dict[str, Any] | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        """Run a program in a conversation of its own and return how it ended; see ``Enclave.run``.

        Raises:
            ConfigError: an argument is wrong, or the pool is closed.
            PoolRefused: too many wait already, or no worker came free in time; nothing has run.
            VMError: a VM failed; the pool stays usable.
        """
        with self.enclave() as enclave:
            return enclave.run(program, inputs=inputs, on_output=on_output)

    def enclave(self) -> Enclave:
        """Return an enclave that borrows a worker for each run, or for a session.

        It is one conversation, whichever workers serve it; between its runs it needs none.
        """
        return Enclave._holding(self._conversation(), LentPair(self._crew_here))  # noqa: SLF001

    @property
    def stats(self) -> PoolStats:
        """The pool at this moment, and what it has done so far."""
        return self._crew_here().stats

    def close(self) -> None:
        """Refuse who waits, let runs under way end for a while, kill the rest. Safe to call twice.

        Raises nothing for runs that it kills: they raise VMError where they were called.
        """
        self._crew_here().close()

    def __enter__(self) -> Self:
        """Return the pool; ``min_workers`` are started in the background."""
        self._crew_here().warm_up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the pool."""
        self.close()

    def _begin(self) -> None:
        self._crew = Crew(self._limits, self._core)
        weakref.finalize(self, self._crew.abandon)

    def _crew_here(self) -> Crew:
        """Return the workers of this process: after a fork, not those of the other one."""
        if self._crew.owner != os.getpid():
            self._begin()
        return self._crew
