"""Sizes: of the program, its lines, its tree, and of what is written out in it."""

from __future__ import annotations

import time

import pytest

from doublevm import Guard
from doublevm.guard.program import Surroundings
from doublevm.guard.reading import read
from doublevm.guard_options import MAX_FUNCTIONS, MAX_NESTING, MAX_NODES
from doublevm.levels import SecurityLevel
from tests.guard.asking import Found, reading

FUNCTIONS = "".join(f"{' ' * i}def f{i}():\n" for i in range(MAX_FUNCTIONS + 1))

FINDS: dict[str, tuple[Guard, str, str, Found]] = {
    "bytes, not characters": (
        Guard(max_source_bytes=10),
        "x = 'éééé'",
        "max_source_bytes",
        (1, 1, "the program has 14 bytes; 10 are accepted", "pass data in with inputs="),
    ),
    "a line": (
        Guard(max_line_length=10),
        "x = 1\ny = '7890123'",
        "max_line_length",
        (2, 11, "the line has 13 characters; 10 are accepted", "break it up"),
    ),
    "an expression": (
        Guard(max_nesting=5),
        "é = 1\nx = [[1 + 2]]",
        "max_nesting",
        (
            2,
            7,
            "the program is nested deeper than 5 levels here",
            "give parts of the expression or of the block names of their own",
        ),
    ),
    "a block": (
        Guard(max_nesting=4),
        "if a:\n    if b:\n        if c:\n            f()",
        "max_nesting",
        (
            3,
            12,
            "the program is nested deeper than 4 levels here",
            "give parts of the expression or of the block names of their own",
        ),
    ),
    "functions": (
        Guard(),
        f"{FUNCTIONS}{' ' * (MAX_FUNCTIONS + 1)}pass",
        "max_nesting",
        (
            MAX_FUNCTIONS + 1,
            MAX_FUNCTIONS + 1,
            "more than 12 functions are defined within one another",
            "define them beside one another",
        ),
    ),
    "parts": (
        Guard(max_nodes=7),
        "x = 1\nprint(x)",
        "max_nodes",
        (2, 7, "the program has more than 7 parts", "pass data in with inputs="),
    ),
    "a text": (
        Guard(max_literal_bytes=8),
        "a = 1\nx = 'éé'\ny = 'ééééé'",
        "max_literal_bytes",
        (3, 5, "a value written out here has 10 bytes; 8 are accepted", "pass it in with inputs="),
    ),
    "bytes": (
        Guard(max_literal_bytes=8),
        "aaaaaaaaaaaaaaaa = b'123456789'",
        "max_literal_bytes",
        (1, 20, "a value written out here has 9 bytes; 8 are accepted", "pass it in with inputs="),
    ),
    "a number": (
        Guard(max_literal_bytes=8),
        "x = 0x1_0000_0000_0000_0000_0000 + 1.5",
        "max_literal_bytes",
        (1, 5, "a value written out here has 11 bytes; 8 are accepted", "pass it in with inputs="),
    ),
}


@pytest.mark.parametrize("name", FINDS)
def test_finds(name: str) -> None:
    guard, program, rule, expected = FINDS[name]
    (finding,) = [each for each in reading(program, guard).refusing if each.rule == rule]
    assert (finding.line, finding.column, finding.message, finding.suggestion) == expected


PASSES = [
    (Guard(max_source_bytes=6), "x = 12"),
    (Guard(max_line_length=5), "x = 1\ny = 2\r\nz = 3\rw = 4"),
    (Guard(max_nesting=4), "if a:\n    b"),
    (Guard(max_nodes=4), "x = 1"),
    (Guard(max_literal_bytes=4), "x = 'éé'\ny = [b'1234', 0xffffff, None, True, 1.5, 1e300, ...]"),
    (Guard(), f"{FUNCTIONS.partition(f'def f{MAX_FUNCTIONS}')[0]}pass"),
    (Guard(), "".join(f"def f{i}(): pass\n" for i in range(50))),
]


@pytest.mark.parametrize(("guard", "program"), PASSES)
def test_passes(guard: Guard, program: str) -> None:
    sizes = [each for each in reading(program, guard).refusing if each.rule.startswith("max_")]
    assert sizes == []


def test_a_long_line_is_told_beside_what_else_is_wrong() -> None:
    found = reading(f"import os\nx = '{'a' * 50}'", Guard(max_line_length=20)).refusing
    assert [finding.rule for finding in found] == ["imports", "max_line_length"]
    assert found[1].excerpt == f"x = '{'a' * 50}'"


@pytest.mark.parametrize("text", ["not ", "-", "1 + ", "1 if 1 else "])
def test_without_a_guard_depth_is_limited_all_the_same(text: str) -> None:
    assert read(text * (MAX_NESTING // 2) + "1", None, Surroundings()).refusing == []
    assert read(text * MAX_NESTING + "1", None, Surroundings()).refusing[0].rule == "max_nesting"


def test_without_a_guard_parts_are_limited_all_the_same() -> None:
    (finding,) = read("1," * MAX_NODES, None, Surroundings()).refusing
    assert finding.rule == "max_nodes"


SLOW = "f'" + "{a}" * 100_000 + "'"


@pytest.mark.parametrize(
    "program", [f"a = 1\n{SLOW}", SLOW.replace("f'", 'RF"""').replace("'", '"""')]
)
def test_texts_that_python_would_read_for_ever_are_not_parsed(program: str) -> None:
    began = time.process_time()
    (finding,) = read(program, None, Surroundings()).refusing
    assert time.process_time() - began < 3, "CPython 3.11 takes 6 s to parse it"
    assert finding.message == "the program's f-strings have too many fields for their length"
    assert finding.line == program.count("\n") + 1


def test_as_many_braces_elsewhere_are_fine() -> None:
    rows = "{'a': 1},\n" * 30_000
    texts = "x = '" + "{}" * 50_000 + "'  # " + "{" * 10_000
    for program in (f"[{rows}]", texts, "f'{a}'\n" * 30_000):
        assert read(program, None, Surroundings()).refusing == []


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("x = 1\0", "SyntaxError: source code string cannot contain null bytes"),
        ("x = '\ud800'", "SyntaxError: 'utf-8' codec can't encode character '\\ud800' in position"),
        ("x = 1\n  y = 2", "IndentationError: unexpected indent"),
        ("(" * 100_000, "SyntaxError: too many nested parentheses"),
        ("1" + "+1" * 100_000, "SyntaxError: "),
    ],
)
def test_what_the_parser_refuses_in_its_own_ways(program: str, message: str) -> None:
    found = reading(program, level=SecurityLevel.PERMISSIVE).refusing
    assert [(finding.rule, finding.line) for finding in found] == [
        ("syntax", program.count("\n") + 1)
    ]
    assert found[0].message.startswith(message)
