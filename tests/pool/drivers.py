"""One way to drive both pools from any number of threads.

The async pool lives in an event loop in a thread of its own: each call here is a trip into it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, Literal, Protocol

from doublevm import AsyncEnclavePool, EnclavePool

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from doublevm import PoolStats, RunResult
    from tests.behaviour.drivers import Runs

Driver = Literal["sync", "async"]


class DrivenPool(Protocol):
    """A pool of either kind."""

    @property
    def stats(self) -> PoolStats: ...

    def run(
        self,
        program: str,
        *,
        inputs: dict[str, Any] | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult: ...

    def enclave(self) -> contextlib.AbstractContextManager[Any]: ...

    def close(self) -> None: ...


class Opens(Protocol):
    """Makes a pool that is closed when the test ends."""

    def __call__(self, **options: Any) -> DrivenPool: ...


class _Loop:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def __call__(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class DrivenAsyncPool:
    """An AsyncEnclavePool with the loop it lives in."""

    def __init__(self, **options: Any) -> None:
        self.pool = AsyncEnclavePool(**options)
        self._in_loop = _Loop()
        self._in_loop(self.pool.__aenter__())

    @property
    def stats(self) -> PoolStats:
        async def stats() -> PoolStats:
            return self.pool.stats

        found: PoolStats = self._in_loop(stats())
        return found

    def run(self, program: str, **options: Any) -> RunResult:
        result: RunResult = self._in_loop(self.pool.run(program, **options))
        return result

    @contextlib.contextmanager
    def enclave(self) -> Iterator[Any]:
        enclave = self.pool.enclave()
        try:
            yield _DrivenEnclave(enclave, self._in_loop)
        finally:
            self._in_loop(enclave.close())

    def close(self) -> None:
        self._in_loop(self.pool.close())

    def end(self) -> None:
        """Close the pool, and its loop with it."""
        try:
            self.close()
        finally:
            self._in_loop.end()


class _DrivenEnclave:
    def __init__(self, enclave: Any, in_loop: _Loop) -> None:
        self._enclave, self._in_loop = enclave, in_loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._enclave, name)

    def run(self, program: str, **options: Any) -> Any:
        return self._in_loop(self._enclave.run(program, **options))

    def close(self) -> None:
        self._in_loop(self._enclave.close())

    @contextlib.contextmanager
    def session(self) -> Iterator[Runs]:
        session = self._enclave.session()
        self._in_loop(session.__aenter__())
        try:
            yield _DrivenEnclave(session, self._in_loop)
        finally:
            self._in_loop(session.__aexit__(None, None, None))


@contextlib.contextmanager
def opened_pool(driver: Driver, **options: Any) -> Iterator[DrivenPool]:
    """Make a pool of the kind, and close it in the end."""
    if driver == "sync":
        with EnclavePool(**options) as pool:
            yield pool
        return
    driven = DrivenAsyncPool(**options)
    try:
        yield driven
    finally:
        driven.end()
