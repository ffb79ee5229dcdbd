"""Tracebacks of guests: as Python prints them, cut in the middle when they are long."""

from __future__ import annotations

import re
import traceback

import pytest

from doublevm.guest_traceback import FILENAME, MAX_FRAMES, MAX_LINE, GuestFrame, render

HEAD = "Traceback (most recent call last):"


def frames(number: int) -> list[GuestFrame]:
    return [GuestFrame(n, f"f{n}", f"    call({n})") for n in range(1, number + 1)]


def test_without_frames() -> None:
    assert render([], "ValueError: x") == f"{HEAD}\nValueError: x"


def test_as_python_prints_it() -> None:
    summary = traceback.StackSummary.from_list([
        (FILENAME, 5, "<module>", "outer()"), (FILENAME, 2, "outer", "1 / 0"),
    ])  # fmt: skip
    printed = HEAD + "\n" + "".join(summary.format()) + "ZeroDivisionError: division by zero"
    guest = [GuestFrame(5, "<module>", "outer()"), GuestFrame(2, "outer", "    1 / 0")]
    assert render(guest, "ZeroDivisionError: division by zero") == printed


def test_a_frame_without_its_source() -> None:
    assert render([GuestFrame(3, "f", "")], "E").splitlines()[1:] == [
        f'  File "{FILENAME}", line 3, in f', "E",
    ]  # fmt: skip


@pytest.mark.parametrize("number", [1, MAX_FRAMES - 1, MAX_FRAMES])
def test_up_to_the_limit_all_frames_are_shown(number: int) -> None:
    text = render(frames(number), "E")
    assert text.count("  File ") == number
    assert "more" not in text


@pytest.mark.parametrize("number", [MAX_FRAMES + 1, MAX_FRAMES + 2, 1000])
def test_beyond_it_the_middle_is_left_out(number: int) -> None:
    text = render(frames(number), "E")
    assert text.count("  File ") == MAX_FRAMES
    assert f"  … {number - MAX_FRAMES} frames more …" in text.splitlines()
    shown = [int(number) for number in re.findall(r"line (\d+), in", text)]
    half = MAX_FRAMES // 2
    assert shown == [*range(1, half + 1), *range(number - half + 1, number + 1)]


def test_long_lines_are_cut() -> None:
    line = render([GuestFrame(1, "f", "x" * 1000)], "E").splitlines()[2]
    assert line == "    " + "x" * MAX_LINE
