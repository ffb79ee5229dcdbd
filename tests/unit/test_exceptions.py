"""Exceptions that cross: the nearest builtin type that both engines have, and the message only."""

from __future__ import annotations

import asyncio
import builtins
import json
from typing import Any

import pytest

from doublevm.wire.exceptions import CROSSING, as_printed, nearest


class Own(Exception):  # noqa: N818 - a host's own
    pass


class OwnKeyError(KeyError):
    pass


class BothError(Own, ValueError):
    pass


class OwnBase(BaseException):
    pass


def unicode_error() -> UnicodeDecodeError:
    return UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


@pytest.mark.parametrize(
    ("error", "name", "message"),
    [
        (ValueError("x"), "ValueError", "x"),
        (ValueError(), "ValueError", ""),
        (ValueError("a", "b"), "ValueError", "('a', 'b')"),
        (KeyError("k"), "KeyError", "k"),
        (KeyError(5), "KeyError", "5"),
        (KeyError("a", "b"), "KeyError", "('a', 'b')"),
        (OwnKeyError("k"), "KeyError", "k"),
        (Own("x"), "Exception", "x"),
        (BothError("x"), "ValueError", "x"),
        (OwnBase("x"), "Exception", "x"),
        (FileNotFoundError(2, "No such file", "/f"), "FileNotFoundError",
         "[Errno 2] No such file: '/f'"),
        (ConnectionResetError("x"), "OSError", "x"),
        (asyncio.CancelledError(), "Exception", ""),
        (MemoryError("x"), "Exception", "x"),
        (StopIteration(5), "Exception", "5"),
        (SystemExit(3), "Exception", "3"),
        (json.JSONDecodeError("bad", "{", 0), "ValueError", "bad: line 1 column 1 (char 0)"),
        (unicode_error(), "ValueError",
         "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (ExceptionGroup("g", [ValueError("x")]), "Exception", "g (1 sub-exception)"),
        (NotImplementedError("x"), "NotImplementedError", "x"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError", "division by zero"),
    ],
)  # fmt: skip
def test_nearest(error: BaseException, name: str, message: str) -> None:
    assert nearest(error) == (name, message)


@pytest.mark.parametrize("name", sorted(CROSSING))
def test_what_crosses_is_built_from_a_message_alone(name: str) -> None:
    kind: Any = getattr(builtins, name)
    assert issubclass(kind, Exception)
    assert nearest(kind("message")) == (name, "message")


@pytest.mark.parametrize(
    "name", ["MemoryError", "StopIteration", "StopAsyncIteration", "UnicodeDecodeError",
             "KeyboardInterrupt", "SystemExit", "GeneratorExit", "BaseException", "ExceptionGroup"],
)  # fmt: skip
def test_what_must_not_cross(name: str) -> None:
    assert name not in CROSSING


@pytest.mark.parametrize(
    ("name", "message", "line"),
    [
        ("ValueError", "x", "ValueError: x"),
        ("ValueError", "", "ValueError"),
        ("KeyError", "k", "KeyError: 'k'"),
        ("NoSuchError", "x", "NoSuchError: x"),
    ],
)
def test_as_printed(name: str, message: str, line: str) -> None:
    assert as_printed(name, message) == line


def test_a_message_stays_the_same_over_many_hops() -> None:
    error: BaseException = KeyError("k")
    for _ in range(5):
        name, message = nearest(error)
        error = getattr(builtins, name)(message)
    assert nearest(error) == ("KeyError", "k")
