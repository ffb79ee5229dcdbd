"""Awaited and plain calls in one program: values, errors and order are those of plain Python."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ErrorCode
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Runs


def double(n: int) -> int:
    return n * 2


async def double_async(n: int) -> int:
    await asyncio.sleep(0)
    return n * 2


def fail(n: int) -> int:
    raise ValueError(n)


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    options = {"engine": engine, "tools": [double, double_async, fail]}
    with opened(driver, **options) as enclave, enclave.session() as session:
        yield session


IN_TURN: dict[str, tuple[str, Any]] = {
    "one await": ("await double(1)", 2),
    "await twice": ("await double(await double(1))", 4),
    "a plain call of an async tool": ("double_async(3)", 6),
    "both ways": (
        "[double(1), await double(2), double_async(3), await double_async(4)]",
        [2, 4, 6, 8],
    ),
    "a name awaited later": ("x = double(2)\ny = double(1)\n[await x, y]", [4, 2]),
    "in a comprehension": ("[await double(n) for n in range(3)]", [0, 2, 4]),
    "in a function": (
        "async def f(n):\n    return await double(n)\n[await f(1), await f(2)]",
        [2, 4],
    ),
    "a plain call beside awaited ones": (
        "async def f(n): return double(n) + await double(n)\nawait asyncio.gather(f(1), f(2))",
        [4, 8],
    ),
    "run twice": (
        "async def f(n):\n    return await double(n)\n[asyncio.run(f(1)), asyncio.run(f(2))]",
        [2, 4],
    ),
    "sleep": ("await asyncio.sleep(0.01)\nawait double(1)", 2),
    "sleep beside a call": ("(await asyncio.gather(asyncio.sleep(0.01), double(1)))[1]", 2),
    "an error caught": (
        "try:\n    await fail(1)\nexcept ValueError:\n    r = 'caught'\nr",
        "caught",
    ),
    "an error in one of several": (
        "try: await asyncio.gather(double(1), fail(2))\nexcept ValueError as e: r = str(e)\n[r, 4]",
        ["2", 4],
    ),
    "a denial in one of several": (
        "try: await asyncio.gather(double(1), double('x'))\nexcept TypeError as e: r = str(e)\nr",
        "double denied: argument 'n' must be int, not str [arguments/type]",
    ),
}


@pytest.mark.parametrize("name", IN_TURN)
def test_awaits_in_turn(guest: Runs, name: str) -> None:
    program, value = IN_TURN[name]
    assert guest.run("import asyncio\n" + program).unwrap() == value


def test_what_is_no_tool_cannot_be_awaited(guest: Runs) -> None:
    error = guest.run("await len('x')").error
    assert error is not None
    assert (error.code, error.type) == (ErrorCode.EXECUTION_ERROR, "TypeError")
