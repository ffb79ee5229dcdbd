"""Reading a program takes work in proportion to its length, and little of it.

Work is counted, in calls of Python functions and of those written in C, so that the answer does not
depend on what else the machine does.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from benchmarks.reading import LINES, NO_INPUTS, TIMEOUT, configured, measure, program
from doublevm.parent.reading import Reader

if TYPE_CHECKING:
    from types import FrameType


def work(lines: int) -> float:
    """Return the calls that a line costs."""
    source, reader, calls = program(lines), Reader(configured()), 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    reader.read(source, NO_INPUTS, TIMEOUT)
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        reader.read(source, NO_INPUTS, TIMEOUT)
    finally:
        sys.setprofile(before)
    return calls / source.count("\n")


def test_a_line_of_a_long_program_costs_what_one_of_a_short_program_costs() -> None:
    assert work(5_000) < 1.2 * work(50)


def test_the_benchmarks_program_is_harmless() -> None:
    read = Reader(configured()).read(program(50), NO_INPUTS, TIMEOUT)
    assert (read.refusing, read.warning) == ([], [])
    assert 45 <= program(50).count("\n") <= 55


def test_the_benchmark_measures_all_sizes() -> None:
    assert [row["lines"] for row in measure(1)] == [program(lines).count("\n") for lines in LINES]
