"""A pattern of the host's own: its fields are checked when it is made."""

from __future__ import annotations

import asyncio
import functools
import re
from typing import TYPE_CHECKING, Any

import pytest

from doublevm.errors import ConfigError
from doublevm.policy import ParentValidation
from doublevm.shapes import brief
from tests.monitor.test_policy import HUGE, pattern

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BAD_IDS = [None, 1, "", "a b", "a/b", "ä", "a\n", "x" * 65, "x" * 200, "\x00", b"A", HUGE]


@pytest.mark.parametrize("id_", BAD_IDS, ids=brief)
def test_a_pattern_needs_an_id(id_: Any) -> None:
    start = re.escape(f"suspicious pattern id {brief(id_, 80)} must have 1 to 64 of")
    with pytest.raises(ConfigError, match=f"^{start}"):
        pattern(id=id_)


@pytest.mark.parametrize("id_", ["A", "x" * 64, "a_B.c-9"])
def test_good_ids(id_: str) -> None:
    assert pattern(id=id_).id == id_


BAD_DESCRIPTIONS = [None, 1, b"a", "\ud800", "", " ", "a\n", "a\nb", "\na", "a\rb", "a\u2028b"]
BAD_DESCRIPTIONS.append(b"long" * 1000)


@pytest.mark.parametrize("text", BAD_DESCRIPTIONS, ids=brief)
def test_a_pattern_needs_a_description(text: Any) -> None:
    expected = "description must be one line of text that is not empty, not " + brief(text, 80)
    with pytest.raises(ConfigError) as caught:
        pattern(description=text)
    assert str(caught.value) == f"suspicious pattern 'MINE': {expected}"


@pytest.mark.parametrize("text", ["a", "Wörter, mehrere.", "x" * 5000])
def test_good_descriptions(text: str) -> None:
    assert pattern(description=text).description == text


@pytest.mark.parametrize("detect", [None, "f", True, [], HUGE, "f" * 200], ids=brief)
def test_a_pattern_needs_a_function(detect: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        pattern(detect=detect)
    expected = f"detect must be a function, not {brief(detect, 80)}"
    assert str(caught.value) == f"suspicious pattern 'MINE': {expected}"


class Method:
    def detect(self, name: str, args: Any) -> bool:
        return False

    def __call__(self) -> bool:
        return False


def annotated(name: str, args: dict[str, Any], *, more: int = 1) -> bool:
    return False


WRONG_ARITY: list[tuple[Any, str]] = [
    (lambda n, a: False, "n, a"),
    (lambda: False, ""),
    (lambda a, b, c, d: False, "a, b, c, d"),
    (lambda n, a, *, history: False, "n, a, history"),
    (lambda *names, more: False, "*names, more"),
    (lambda **options: False, "**options"),
    (annotated, "name, args, more"),
    (Method().detect, "name, args"),
    (Method(), ""),
    (functools.partial(lambda a, b, c: False, 1), "b, c"),
    (len, "obj"),
]


@pytest.mark.parametrize(("detect", "takes"), WRONG_ARITY, ids=[row[1] for row in WRONG_ARITY])
def test_a_pattern_takes_three_arguments(detect: Any, takes: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pattern(detect=detect)
    expected = f"detect must take (operation_name, args, history), not ({takes})"
    assert str(caught.value) == f"suspicious pattern 'MINE': {expected}"


class Signed:
    """Its signature cannot be read, so it is found when it is called."""

    __signature__ = "of no use"

    def __call__(self, *_: Any) -> bool:
        return False


THREE = [
    lambda a, b, c: False,
    lambda a, b, c, d=1: False,
    lambda *_: False,
    functools.partial(lambda a, b, c, d: False, 1),
    max,  # it has no signature
    Signed(),
]


@pytest.mark.parametrize("detect", THREE)
def test_functions_that_take_three(detect: Any) -> None:
    assert pattern(detect=detect).detect is detect


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


def test_ones_own_are_left_out_another_way() -> None:
    hint = "; leave your own out of suspicious_patterns"
    for id_, expected in (("MINE", True), ("OTHER", False)):
        with pytest.raises(ConfigError, match=r"^parent_validation.disabled_patterns") as caught:
            ParentValidation(suspicious_patterns=(pattern(),), disabled_patterns=(id_,))
        assert str(caught.value).endswith(f"not {id_!r}{hint if expected else ''}")
    hint = "; say enforce=False in suspicious_patterns"
    with pytest.raises(ConfigError, match=rf"unenforced_patterns .* not 'MINE'{hint}$"):
        ParentValidation(suspicious_patterns=(pattern(),), unenforced_patterns=("MINE",))


@pytest.mark.parametrize("value", [None, 0, 1, "no"])
def test_enforce_is_a_flag(value: Any) -> None:
    said = rf"^suspicious pattern 'MINE': enforce must be True or False, not {value!r}$"
    with pytest.raises(ConfigError, match=said):
        pattern(enforce=value)
