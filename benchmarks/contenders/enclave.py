"""Doublevm itself: both engines, sync and async, all that judges switched on.

Only what would end a long measurement is out of the way: the rate, the number of calls, and the
threshold of RAPID_ENUMERATION. Every call is still looked at by every barrier.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.contenders.base import Contender
from doublevm import AsyncEnclave, DoubleVM, Enclave, Limits, ParentValidation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

_ENOUGH = 10**9


def options(engine: str) -> dict[str, Any]:
    """Return the options of an enclave that is measured."""
    validation = ParentValidation(
        max_operations_per_second=_ENOUGH, rapid_enumeration_threshold=_ENOUGH
    )
    return {
        "engine": engine,
        "limits": Limits(timeout=600.0, max_tool_calls=_ENOUGH),
        "double_vm": DoubleVM(parent_validation=validation),
    }


def _cold(engine: str) -> str:
    return f"from doublevm import Enclave\nprint(Enclave(engine={engine!r}).run('1 + 1').unwrap())"


def _cold_async(engine: str) -> str:
    run = f"AsyncEnclave(engine={engine!r}).run('1 + 1')"
    return f"import asyncio\nfrom doublevm import AsyncEnclave\nprint(asyncio.run({run}).unwrap())"


class _Sync(Contender):
    engine: ClassVar[str]

    def __init__(self) -> None:
        self._look: Callable[[], None] | None = None
        self._stack = ExitStack()
        self._enclave: Enclave | None = None

    def run(self, source: str) -> Any:
        return self._opened().run(source).unwrap()

    def watch(self, look: Callable[[], None] | None) -> None:
        self._look = look

    def hold(self) -> None:
        session = self._stack.enter_context(self._opened().session())
        session.run("result = 1\nresult").unwrap()

    def renew(self) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()
        self._enclave = None

    def _opened(self) -> Enclave:
        if self._enclave is None:

            def echo(value: Any) -> Any:
                if self._look is not None:
                    self._look()
                return value

            made = Enclave(tools=[echo], **options(self.engine))
            self._enclave = self._stack.enter_context(made)
        return self._enclave


class Monty(_Sync):
    """The sync Enclave on monty."""

    engine = "monty"
    cold = _cold("monty")


class CPython(_Sync):
    """The sync Enclave on cpython."""

    engine = "cpython"
    cold = _cold("cpython")


_loop = asyncio.new_event_loop()
"""One for all of this process: enclaves of a crowd share it, as they would in a server."""


class _Async(Contender):
    engine: ClassVar[str]

    def __init__(self) -> None:
        self._look: Callable[[], None] | None = None
        self._stack = AsyncExitStack()
        self._enclave: AsyncEnclave | None = None

    def run(self, source: str) -> Any:
        return _loop.run_until_complete(self.ran(source))

    async def ran(self, source: str) -> Any:
        """Return what ``run`` does, to whom awaits it."""
        if self._enclave is None:

            async def echo(value: Any) -> Any:
                if self._look is not None:
                    self._look()
                return value

            made = AsyncEnclave(tools=[echo], **options(self.engine))
            self._enclave = await self._stack.enter_async_context(made)
        return (await self._enclave.run(source)).unwrap()

    def watch(self, look: Callable[[], None] | None) -> None:
        self._look = look

    def renew(self) -> None:
        self.close()

    def close(self) -> None:
        _loop.run_until_complete(self._stack.aclose())
        self._enclave = None

    @classmethod
    def together(cls, those: Sequence[Self], source: str, expected: object) -> float:
        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*(each.ran(source) for each in those))

        began = perf_counter()
        answers = _loop.run_until_complete(all_of_them())
        took = perf_counter() - began
        assert answers == [expected] * len(those), answers
        return took


class AsyncMonty(_Async):
    """The AsyncEnclave on monty."""

    engine = "monty"
    cold = _cold_async("monty")


class AsyncCPython(_Async):
    """The AsyncEnclave on cpython."""

    engine = "cpython"
    cold = _cold_async("cpython")
