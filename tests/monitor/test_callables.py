"""Whether a function is async, however it is wrapped."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from doublevm.callables import gives_awaitable, is_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def plain() -> None: ...


async def waits() -> None: ...


async def streams() -> AsyncIterator[int]:
    yield 1


class Waits:
    async def __call__(self) -> None: ...


class Streams:
    async def __call__(self) -> AsyncIterator[int]:
        yield 1


class Plain:
    def __call__(self) -> None: ...

    async def other(self) -> None: ...


FUNCTIONS: dict[str, tuple[Any, bool, bool]] = {
    # gives_awaitable, is_async
    "plain": (plain, False, False),
    "a builtin": (len, False, False),
    "a plain object": (Plain(), False, False),
    "async": (waits, True, True),
    "an async method": (Plain().other, True, True),
    "an async object": (Waits(), True, True),
    "a stream": (streams, False, True),
    "an object that streams": (Streams(), False, True),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("wraps", [0, 1, 2])
def test_async_or_not(name: str, wraps: int) -> None:
    function, awaitable, asynchronous = FUNCTIONS[name]
    for _ in range(wraps):
        function = partial(function)
    assert (gives_awaitable(function), is_async(function)) == (awaitable, asynchronous)
