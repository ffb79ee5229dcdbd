"""Reading a program takes work in proportion to its length, and little of it.

Work is counted, in calls of Python functions and of those written in C, so that the answer does not
depend on what else the machine does.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from benchmarks.guard import measure, program, reader

if TYPE_CHECKING:
    from types import FrameType


def work(lines: int) -> float:
    """Return the calls that a line costs."""
    source, read, calls = program(lines), reader(), 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    read(source)
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        read(source)
    finally:
        sys.setprofile(before)
    return calls / source.count("\n")


def test_a_line_of_a_long_program_costs_what_one_of_a_short_program_costs() -> None:
    assert work(5_000) < 1.2 * work(50)


def test_the_benchmarks_program_is_harmless() -> None:
    read: Any = reader()(program(50))
    assert (read.refusing, read.warning) == ([], [])
    assert 45 <= program(50).count("\n") <= 55


def test_the_benchmark_measures_all_sizes() -> None:
    assert [row["lines"] for row in measure(1)] == [45, 493, 5001]
