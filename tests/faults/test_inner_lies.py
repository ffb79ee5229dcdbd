"""A cpython inner VM that was taken over, as the parent VM meets it: its engine says what is wrong.

The engine runs in the test's own process, as it would in a parent VM.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import select
from typing import TYPE_CHECKING, Any

import pytest

from doublevm.engines.base import (
    Call,
    Done,
    EngineDiedError,
    EngineProtocolError,
    Program,
    Wait,
)
from doublevm.engines.cpython import CPythonEngine
from doublevm.wire import inner_frames as i
from doublevm.wire.codec import encode
from doublevm.wire.frames import Usage
from doublevm.wire.grammar import INNER_SIDE
from tests.faults.fakes import bytes_of, fake_inner, flood, write

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE = Usage(0.0, 0)
ATTEMPT = i.Attempt(1, "tool", encode([]), encode({}), concurrent=False)
PROGRAM = Program("pass", ast.parse("pass"), encode({}), ("tool",), 5.0, 2**26, keep=False)

UP_TO: dict[str, list[str]] = {
    "new": [],
    "idle": [write(i.Prepared())],
    "running": [write(i.Prepared()), "read"],
    "calling": [write(i.Prepared()), "read", write(ATTEMPT)],
    "waiting": [write(i.Prepared()), "read", write(i.Wait(None))],
}
"""What an inner VM does until the parent is in this state."""

EACH_KIND = [
    i.Prepared(),
    ATTEMPT,
    i.Wait(1.0),
    i.Print("stdout", "text"),
    i.Finished(encode(None), USAGE),
    i.Ended("exception", "ValueError", "message", 1, "", USAGE),
]
OUT_OF_PLACE = [
    (state, frame)
    for state, frame in itertools.product(UP_TO, EACH_KIND)
    if type(frame) not in INNER_SIDE[state]
]
NO_FRAMES = {
    "no MessagePack": b"\x00\x00\x00\x04\xff\xff\xff\xff",
    "a frame of the parent's": bytes_of(i.Value(encode(1))),
    "an empty frame": b"\x00\x00\x00\x00",
    "four gigabytes announced": b"\xff\xff\xff\xff",
    "text": b"Traceback (most recent call last):\n",
}


@contextlib.contextmanager
def engine(*steps: str) -> Iterator[CPythonEngine]:
    made = CPythonEngine(fake_inner(*steps))
    try:
        yield made
    finally:
        made.close()


def drive(made: CPythonEngine) -> Any:
    """Go as far as the inner VM lets us; return the last step."""
    made.prepare(2**26, 5.0, keep=False)
    step = made.start(PROGRAM, lambda _stream, _text: None)
    while isinstance(step, Call | Wait):
        wait_for_it(made)
        made.check()
        step = made.resume(i.Value(encode(1)) if isinstance(step, Call) else i.Settled({}))
    return step


def wait_for_it(made: CPythonEngine) -> None:
    """Give the inner VM the time to speak out of turn, as a host does while a tool runs."""
    select.select(made.watched_fds, [], [], 5)


@pytest.mark.parametrize("pause", [[], ["pause"]], ids=["at once", "later"])
@pytest.mark.parametrize(
    ("state", "frame"), OUT_OF_PLACE, ids=[f"{type(x).__name__}-in-{s}" for s, x in OUT_OF_PLACE]
)
def test_a_frame_that_may_not_come_now(state: str, frame: Any, pause: list[str]) -> None:
    def speak_in_turn(made: CPythonEngine) -> None:
        if state == "idle":  # it speaks before it has been given a program
            made.prepare(2**26, 5.0, keep=False)
            wait_for_it(made)
            made.check()
        drive(made)

    with (
        engine(*UP_TO[state], *pause, write(frame)) as made,
        pytest.raises(EngineProtocolError) as caught,
    ):
        speak_in_turn(made)
    assert caught.value.frame == type(frame).__name__.lower()


@pytest.mark.parametrize("state", ["new", "running", "calling", "waiting"])
@pytest.mark.parametrize("data", NO_FRAMES.values(), ids=NO_FRAMES.keys())
def test_bytes_that_are_no_frame(state: str, data: bytes) -> None:
    with engine(*UP_TO[state], write(data)) as made, pytest.raises(EngineProtocolError) as caught:
        drive(made)
    assert caught.value.frame == "bytes"


@pytest.mark.parametrize("state", UP_TO)
@pytest.mark.parametrize("data", [b"", b"\x00", bytes_of(ATTEMPT)[:-1]])
def test_it_ends_early(state: str, data: bytes) -> None:
    with (
        engine(*UP_TO[state], write(data), "exit") as made,
        pytest.raises(EngineDiedError, match="ended with status 0"),
    ):
        drive(made)


@pytest.mark.parametrize(
    "frame",
    [
        i.Attempt(1, "tool", encode({}), encode({}), concurrent=False),
        i.Attempt(1, "tool", encode([]), encode([]), concurrent=False),
        i.Attempt(1, "tool", encode([]), encode({1: 1}), concurrent=False),
        i.Attempt(1, "tool", b"", encode({}), concurrent=False),
        i.Attempt(1, "tool", encode([]), b"\xc1", concurrent=False),
        i.Attempt(1, "tool", b"\x91" * 5000 + b"\x90", encode({}), concurrent=False),
        i.Finished(b"", USAGE),
        i.Finished(b"\xc7\x00\x63", USAGE),
    ],
)
def test_values_that_are_none(frame: Any) -> None:
    with (
        engine(*UP_TO["running"], write(frame)) as made,
        pytest.raises(EngineProtocolError) as caught,
    ):
        drive(made)
    assert caught.value.frame == type(frame).__name__.lower()


@pytest.mark.parametrize("line", [-1, 2**31 + 1, 2**64 - 1, 1.0, "1", None, [1], b"1", True])
def test_lines_that_are_none(line: Any) -> None:
    lie = i.Attempt(1, "tool", encode([]), encode({}), False, "", line)
    with (
        engine(*UP_TO["running"], write(lie)) as made,
        pytest.raises(EngineProtocolError) as caught,
    ):
        drive(made)
    assert caught.value.frame == "bytes"


@pytest.mark.parametrize("line", [0, 1, 2**31])
def test_any_line_is_passed_on(line: int) -> None:
    claim = i.Attempt(1, "tool", encode([]), encode({}), concurrent=False, line=line)
    with engine(*UP_TO["running"], write(claim)) as made:
        made.prepare(2**26, 5.0, keep=False)
        step = made.start(PROGRAM, lambda _stream, _text: None)
        assert isinstance(step, Call)
        assert step.line == line


@pytest.mark.parametrize("seconds", [float("nan"), float("-inf"), -1.0, 1e308, None])
def test_any_number_of_seconds_is_passed_on(seconds: float | None) -> None:
    with engine(*UP_TO["running"], write(i.Wait(seconds))) as made:
        made.prepare(2**26, 5.0, keep=False)
        step = made.start(PROGRAM, lambda _stream, _text: None)
        assert isinstance(step, Wait)


def test_a_flood_ends_when_it_is_killed() -> None:
    printed = []

    with engine(*UP_TO["running"], flood(i.Print("stdout", "x" * 100))) as made:

        def emit(_stream: Any, text: str) -> None:
            printed.append(text)
            if len(printed) == 1000:  # as the relay's limit on output does
                made.kill()

        made.prepare(2**26, 5.0, keep=False)
        with pytest.raises(EngineDiedError, match="signal 9"):
            made.start(PROGRAM, emit)
    assert len(printed) >= 1000


def test_an_honest_inner_goes_through() -> None:
    """The twin: the same frames in their places are taken."""
    end = i.Finished(encode("end"), USAGE)
    steps = ["read", write(i.Print("stdout", "x"), i.Wait(0.0)), "read", write(end)]
    with engine(*UP_TO["calling"], *steps) as made:
        made.prepare(2**26, 5.0, keep=False)
        call = made.start(PROGRAM, lambda _stream, _text: None)
        assert isinstance(call, Call)
        assert isinstance(made.resume(i.Value(encode(1))), Wait)
        assert made.resume(i.Settled({})) == Done(encode("end"))
