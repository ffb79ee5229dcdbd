"""Findings: places as editors show them, excerpts that can be read, one line that says all."""

from __future__ import annotations

import ast

import pytest

from doublevm import Finding
from doublevm.guard.findings import LONGEST_EXCERPT, at_place, excerpt, lines_of
from doublevm.guard.program import Surroundings
from doublevm.guard.reading import read, unread


def test_columns_count_characters_from_one() -> None:
    source = "x = 'é👍'; f()"
    call = ast.parse(source).body[1]
    assert Finding.at(call, source, "here").column == source.index("f()") + 1


def test_lines_end_as_python_ends_them() -> None:
    source = "a = 1\r\nb = '\x0b\x0c\u2028'\rc = 3\nd = 4"
    assert len(lines_of(source)) == 4
    last = ast.parse(source).body[-1]
    assert Finding.at(last, source, "here").excerpt == "d = 4"


def test_a_place_beyond_the_text_has_no_excerpt() -> None:
    assert at_place("rule", 9, 1, ["x"], "message").excerpt == ""


@pytest.mark.parametrize(
    ("length", "column", "before", "after"),
    [(50, 1, "", ""), (500, 1, "", "…"), (500, 250, "…", "…"), (500, 500, "…", "")],
)
def test_long_lines_are_cut_around_the_column(
    length: int, column: int, before: str, after: str
) -> None:
    line = "".join(chr(ord("a") + i % 26) for i in range(length))
    shown = excerpt(line, column)
    assert (shown[:1] == "…", shown[-1:] == "…") == (bool(before), bool(after))
    assert shown.strip("…") in line
    assert len(shown.strip("…")) == min(length, LONGEST_EXCERPT)
    assert line[column - 1] in shown


def test_as_text() -> None:
    assert str(Finding("imports", 2, 5, "import os", "no os", "ask")) == (
        "line 2, column 5: no os; ask [guard/imports]"
    )
    assert str(Finding("imports", 2, 5, "", "no os")) == "line 2, column 5: no os [guard/imports]"


def test_a_reading_that_was_given_up_refuses() -> None:
    given_up = unread("x", "reading took too long")
    assert (given_up.tree, given_up.warning) == (None, [])
    assert [str(each) for each in given_up.refusing] == [
        "line 1, column 1: reading took too long [guard/syntax]"
    ]


def test_a_tree_where_there_is_one() -> None:
    assert isinstance(read("1", None, Surroundings()).tree, ast.Module)
    assert read("(", None, Surroundings()).tree is None
