"""One way to drive both enclaves: a case is written once and runs over the sync and the async one.

The async enclave lives in one event loop, and each call here is one trip into it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from doublevm import AsyncEnclave, Enclave

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm import AsyncSession, AuditRecord, RunResult

Driver = Literal["sync", "async"]
Engine = Literal["monty", "cpython"]

DRIVERS: Final[tuple[Driver, ...]] = ("sync", "async")
ENGINES: Final[tuple[Engine, ...]] = ("monty", "cpython")


class Runs(Protocol):
    """An enclave or a session of either kind."""

    def run(self, program: str) -> RunResult: ...


class Driven(Runs, Protocol):
    """An enclave of either kind."""

    @property
    def history(self) -> tuple[AuditRecord, ...]: ...

    def session(self) -> contextlib.AbstractContextManager[Runs]: ...

    @property
    def parent_pid(self) -> int: ...


class _Known:
    """What is asked of both kinds in the same way."""

    _enclave: Enclave | AsyncEnclave

    @property
    def history(self) -> tuple[AuditRecord, ...]:
        return self._enclave.history

    @property
    def parent_pid(self) -> int:
        assert self._enclave._link is not None
        return self._enclave._link.process.pid


class _Sync(_Known):
    _enclave: Enclave

    def __init__(self, enclave: Enclave) -> None:
        self._enclave = enclave

    def run(self, program: str) -> RunResult:
        return self._enclave.run(program)

    def session(self) -> contextlib.AbstractContextManager[Runs]:
        return self._enclave.session()


class _Async(_Known):
    _enclave: AsyncEnclave

    def __init__(self, runner: asyncio.Runner, enclave: AsyncEnclave) -> None:
        self._runner, self._enclave = runner, enclave

    def run(self, program: str) -> RunResult:
        return self._runner.run(self._enclave.run(program))

    @contextlib.contextmanager
    def session(self) -> Iterator[Runs]:
        session = self._enclave.session()
        self._runner.run(session.__aenter__())
        try:
            yield _AsyncSession(self._runner, session)
        finally:
            self._runner.run(session.__aexit__(None, None, None))


class _AsyncSession:
    def __init__(self, runner: asyncio.Runner, session: AsyncSession) -> None:
        self._runner, self._session = runner, session

    def run(self, program: str) -> RunResult:
        return self._runner.run(self._session.run(program))


@contextlib.contextmanager
def opened(driver: Driver, **options: Any) -> Iterator[Driven]:
    """Make an enclave of the kind, and close it in the end."""
    if driver == "sync":
        with Enclave(**options) as sync_enclave:
            yield _Sync(sync_enclave)
        return
    enclave = AsyncEnclave(**options)
    with asyncio.Runner() as runner:
        try:
            yield _Async(runner, enclave)
        finally:
            runner.run(enclave.close())
