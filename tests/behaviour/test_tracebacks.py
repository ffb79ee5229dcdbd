"""Tracebacks as the guest's author sees them: frames of the program, and nothing of ours."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import doublevm
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Opens, Runs


def fail() -> None:
    raise ValueError("no")


@pytest.fixture(scope="module")
def fresh(driver: Driver, engine: Engine) -> Iterator[Runs]:
    """Each run of its own: a session numbers its programs in tracebacks."""
    with opened(driver, engine=engine, tools=[fail]) as enclave:
        yield enclave


HEAD = "Traceback (most recent call last):\n"

FULL: dict[str, tuple[str, list[tuple[int, str, str]], str]] = {
    "functions": (
        "def f(n):\n    return _g(n)\n\ndef _g(n):\n    return 1 / n\n\nf(0)\n",
        [(7, "<module>", "f(0)"), (2, "f", "return _g(n)"), (5, "_g", "return 1 / n")],
        "ZeroDivisionError: division by zero",
    ),
    "a tool": (
        "def f():\n    return fail()\nf()",
        [(3, "<module>", "f()"), (2, "f", "return fail()")],
        "ValueError: no",
    ),
    "a coroutine": (
        "import asyncio\nasync def m():\n    return fail()\nasyncio.run(m())",
        [(4, "<module>", "asyncio.run(m())"), (3, "m", "return fail()")],
        "ValueError: no",
    ),
    "a method": (
        "class A:\n    def __init__(self):\n        raise KeyError('k')\nA()",
        [(4, "<module>", "A()"), (3, "__init__", "raise KeyError('k')")],
        "KeyError: 'k'",
    ),
    "a top-level return": (
        "if True:\n    return 1 / 0",
        [(2, "<module>", "return 1 / 0")],
        "ZeroDivisionError: division by zero",
    ),
    "a top-level await": ("await fail()", [(1, "<module>", "await fail()")], "ValueError: no"),
}


@pytest.mark.parametrize("name", FULL)
def test_a_traceback_has_the_programs_frames(fresh: Runs, name: str) -> None:
    program, frames, message = FULL[name]
    error = fresh.run(program).error
    assert error is not None
    shown = [f'  File "<program>", line {n}, in {where}\n    {text}\n' for n, where, text in frames]
    assert error.traceback == HEAD + "".join(shown) + message


def test_a_deep_traceback_is_cut_in_the_middle(fresh: Runs) -> None:
    error = fresh.run("def f(n): return f(n + 1)\nf(0)").error
    assert error is not None
    lines = error.traceback.splitlines()
    assert len(lines) < 80
    assert any("frames more" in line for line in lines)
    assert lines[-1].startswith("RecursionError: ")


def test_a_program_that_does_not_compile_has_none(fresh: Runs) -> None:
    error = fresh.run("x = (").error
    assert error is not None
    assert (error.traceback, error.line) == ("", 1)


OURS = [
    str(Path(doublevm.__file__).parent),
    "doublevm",
    sys.prefix,
    sys.base_prefix,
    os.path.expanduser("~"),  # noqa: PTH111 - as a guest would find it
    "site-packages",
    __file__,
    "lambda",
]

RAISING = [
    "fail()",
    "call_tool()",
    "call_tool('no')",
    "call_tool('fail', {1: 2})",
    "import asyncio\nasync def m(): await asyncio.gather(fail(), fail())\nasyncio.run(m())",
    "import json\njson.loads('{')",
    "import re\nre.compile('(')",
    "import datetime\ndatetime.date(1, 1, 99)",
    "import math\nmath.sqrt(-1)",
    "int",
    "sorted([1, 'a'])",
    "await 1",
    "if True:\n    return fail()",
    "raise ValueError('x') from KeyError('y')",
]

RAISING_ON_CPYTHON = [
    "open('/etc/passwd')",
    "import statistics\nstatistics.mean([])",
    "import csv\ncsv.reader(1)",
    "import decimal\ndecimal.Decimal('x')",
    "import nothing",
    "import doublevm.host",
    "import socket\nsocket.socket()",
    "import sys\nsys.exit(1)",
    "from math import nothing",
    "from statistics import nothing",
    "import asyncio\nasync with asyncio.TaskGroup() as g: g.create_task(fail())",
    "input()",
]


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    options = {"engine": engine, "tools": [fail]}
    with opened(driver, **options) as enclave, enclave.session() as session:
        yield session


def check_nothing_leaks(guest: Runs, program: str) -> None:
    result = guest.run(program)
    assert result.error is not None
    told = result.error.traceback + result.error.message + result.stdout + result.stderr
    told = told.replace("import doublevm.host", "").replace("'doublevm.host'", "")
    assert [text for text in OURS if text in told] == []
    assert all('"<program' in line for line in told.splitlines() if line.startswith("  File"))


@pytest.mark.parametrize("program", RAISING)
def test_nothing_of_ours_or_of_the_machine_is_told(guest: Runs, program: str) -> None:
    check_nothing_leaks(guest, program)


@pytest.fixture(scope="module")
def cpython_guest(driver: Driver) -> Iterator[Runs]:
    """Monty has not these modules."""
    options = {"engine": "cpython", "tools": [fail]}
    with opened(driver, **options) as enclave, enclave.session() as session:
        yield session


@pytest.mark.parametrize("program", RAISING_ON_CPYTHON)
def test_nothing_is_told_by_the_standard_library(cpython_guest: Runs, program: str) -> None:
    check_nothing_leaks(cpython_guest, program)


@pytest.mark.parametrize("level", ["STRICT", "SECURE"])
def test_the_tight_levels_tell_message_and_line_only(open_enclave: Opens, level: str) -> None:
    programs = {"\n1 / 0": 2, "fail()": 1, "call_tool('no')": 1, "\nx = (": 2}
    with open_enclave(tools=[fail], security_level=level).session() as session:
        errors = {program: session.run(program).error for program in programs}
    for program, line in programs.items():
        error = errors[program]
        assert error is not None
        assert (error.traceback, error.line) == ("", line)
        assert error.message
        assert f"(line {line})" in str(error)


@pytest.mark.parametrize("level", ["STANDARD", "PERMISSIVE"])
def test_the_loose_levels_tell_all(open_enclave: Opens, level: str) -> None:
    error = open_enclave(security_level=level).run("1 / 0").error
    assert error is not None
    assert error.traceback.startswith(HEAD)


def test_a_sessions_program_is_named_by_its_number(open_enclave: Opens) -> None:
    with open_enclave().session() as session:
        session.run("def f():\n    1 / 0")
        error = session.run("\n\nf()").error
    assert error is not None
    assert error.line == 2
    assert "in f\n" in error.traceback
