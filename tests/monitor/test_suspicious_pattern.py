"""A pattern of the host's own: its fields are checked when it is made."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

import pytest

from doublevm.errors import ConfigError
from doublevm.policy import ParentValidation
from doublevm.shapes import brief
from tests.monitor.test_policy import HUGE, pattern

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BAD_IDS = [None, 1, "", "a b", "a/b", "ä", "a\n", "x" * 65, "\x00", b"A", HUGE]


@pytest.mark.parametrize("id_", BAD_IDS, ids=brief)
def test_a_pattern_needs_an_id(id_: Any) -> None:
    with pytest.raises(ConfigError, match=r"^suspicious pattern id .* must have 1 to 64 of"):
        pattern(id=id_)


@pytest.mark.parametrize("id_", ["A", "x" * 64, "a_B.c-9"])
def test_good_ids(id_: str) -> None:
    assert pattern(id=id_).id == id_


@pytest.mark.parametrize("text", [None, 1, b"a", "\ud800"])
def test_a_pattern_needs_a_description(text: Any) -> None:
    with pytest.raises(ConfigError, match=r"^suspicious pattern 'MINE': description must be text$"):
        pattern(description=text)


@pytest.mark.parametrize("detect", [None, "f", True, []])
def test_a_pattern_needs_a_function(detect: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"^suspicious pattern 'MINE': detect must be a function$"
    ):
        pattern(detect=detect)


async def coroutine(*_: Any) -> bool:
    return await asyncio.sleep(0, result=False)


async def generator(*_: Any) -> AsyncIterator[bool]:
    yield False


class Callable:
    async def __call__(self, *_: Any) -> bool:
        return False

    async def method(self, *_: Any) -> bool:
        return False


class GeneratorCallable:
    async def __call__(self, *_: Any) -> AsyncIterator[bool]:
        yield False


@pytest.mark.parametrize(
    "detect",
    [
        coroutine,
        generator,
        Callable(),
        Callable().method,
        GeneratorCallable(),
        functools.partial(coroutine),
        functools.partial(functools.partial(generator, 1), 2),
        functools.partial(Callable(), 1),
    ],
)
def test_async_functions_are_refused(detect: Any) -> None:
    with pytest.raises(ConfigError, match=r"^suspicious pattern 'MINE': detect is async; the pare"):
        pattern(detect=detect)


def test_ids_are_unique() -> None:
    twins = (pattern(), pattern(description="other"))
    with pytest.raises(ConfigError, match=r"^parent_validation.suspicious_patterns: the id 'MINE'"):
        ParentValidation(suspicious_patterns=twins)
    with pytest.raises(ConfigError, match=r"the id 'BULK_OPERATION' is taken; choose another$"):
        ParentValidation(suspicious_patterns=(pattern(id="BULK_OPERATION"),))
