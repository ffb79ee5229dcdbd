"""Binding: positional arguments get their names as in a call of Python's own."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doublevm.operation import BindingError, Parameter, bind
from doublevm.shapes import AnyShape

ANY = AnyShape()


def parameter(name: str, *, required: bool = True, positional: bool = True) -> Parameter:
    return Parameter(name, ANY, required, positional)


PARAMETERS = (
    parameter("a"),
    parameter("b", required=False),
    parameter("c", positional=False),
    parameter("d", required=False, positional=False),
)


@pytest.mark.parametrize(
    ("args", "kwargs", "bound"),
    [
        ([1], {"c": 3}, {"a": 1, "c": 3}),
        ([1, 2], {"c": 3, "d": 4}, {"a": 1, "b": 2, "c": 3, "d": 4}),
        ([], {"a": 1, "c": 3}, {"a": 1, "c": 3}),
        ([], {"d": 4, "c": 3, "b": 2, "a": 1}, {"a": 1, "b": 2, "c": 3, "d": 4}),
    ],
)
def test_bound(args: list[Any], kwargs: dict[str, Any], bound: dict[str, Any]) -> None:
    assert bind(PARAMETERS, args, kwargs) == bound


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ([1, 2, 3], {"c": 1}, "takes 2 arguments by position, 3 were given"),
        ([1], {"a": 1, "c": 1}, "argument 'a' was given twice"),
        ([1], {"c": 1, "e": 1}, "there is no argument 'e'; it takes (a, b=…, c, d=…)"),
        ([], {"c": 1}, "argument 'a' is missing; it takes (a, b=…, c, d=…)"),
        ([1], {}, "argument 'c' is missing"),
        ([1], {"": 1}, "there is no argument ''"),
    ],
)
def test_not_bound(args: list[Any], kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(BindingError) as caught:
        bind(PARAMETERS, args, kwargs)
    assert message in str(caught.value)


def test_the_counts_are_written_as_a_person_would() -> None:
    with pytest.raises(BindingError, match="takes 1 argument by position, 2 were given"):
        bind((parameter("a"),), [1, 2], {})
    with pytest.raises(BindingError, match="takes 0 arguments by position, 1 were given"):
        bind((), [1], {})


def python_signature() -> inspect.Signature:
    p = inspect.Parameter
    return inspect.Signature([
        p("a", p.POSITIONAL_OR_KEYWORD), p("b", p.POSITIONAL_OR_KEYWORD, default=0),
        p("c", p.KEYWORD_ONLY), p("d", p.KEYWORD_ONLY, default=0),
    ])  # fmt: skip


@given(
    st.lists(st.integers(), max_size=4),
    st.dictionaries(st.sampled_from("abcde"), st.integers(), max_size=5),
)
def test_as_python_binds(args: list[int], kwargs: dict[str, int]) -> None:
    try:
        expected = dict(python_signature().bind(*args, **kwargs).arguments)
    except TypeError:
        with pytest.raises(BindingError):
            bind(PARAMETERS, args, kwargs)
    else:
        assert bind(PARAMETERS, args, kwargs) == expected
