"""``engine="auto"``: monty, unless the program's text needs cpython; some modules on neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ErrorCode
from tests.behaviour.drivers import Driven, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Opens

called: list[int] = []


def double(n: int) -> int:
    called.append(n)
    return n * 2


@pytest.fixture(scope="module")
def auto(driver: Driver) -> Iterator[Driven]:
    with opened(driver, tools=[double]) as enclave:
        yield enclave


ON_MONTY: list[tuple[str, Any]] = [
    ("1 + 1", 2),
    ("import math\nmath.floor(2.5)", 2),
    ("import json\njson.loads('[1]')", [1]),
    ("import asyncio\nawait asyncio.gather(double(1), double(2))", [2, 4]),
    ("class A:\n    def __init__(self): self.x = 1\nA().x", 1),
    ("sum(n for n in range(4))", 6),
    ("return double(3)", 6),
]

ON_CPYTHON: list[tuple[str, Any]] = [
    ("class A: pass\nclass B(A): pass\nissubclass(B, A)", True),
    ("def g(): yield 1\nlist(g())", [1]),
    ("d = {1: 2}\ndel d[1]\nd", {}),
    ("import heapq\nheapq.nsmallest(1, [2, 1])", [1]),
    ("import statistics\nstatistics.mean([1, 3])", 2),
    ("import string, textwrap\ntextwrap.indent(string.digits[:2], '-')", "-01"),
    ("from fractions import Fraction\nstr(Fraction(1, 2))", "1/2"),
    ("import asyncio\nt = asyncio.ensure_future(double(4))\nawait t", 8),
]


@pytest.mark.parametrize(("program", "value"), ON_MONTY)
def test_what_monty_has_runs_there(auto: Driven, program: str, value: Any) -> None:
    result = auto.run(program)
    assert result.unwrap() == value
    assert result.stats.engine == "monty"


@pytest.mark.parametrize(("program", "value"), ON_CPYTHON)
def test_the_language_and_harmless_modules_move_it(auto: Driven, program: str, value: Any) -> None:
    result = auto.run(program)
    assert result.unwrap() == value
    assert result.stats.engine == "cpython"


REFUSED: list[tuple[str, str, int]] = [
    ("import os", "os", 1),
    ("import os.path", "os", 1),
    ("import os as harmless", "os", 1),
    ("x = 1\nimport subprocess", "subprocess", 2),
    ("import json\n\nimport socket", "socket", 3),
    ("from ctypes import *", "ctypes", 1),
    ("def f():\n    import ctypes\n1", "ctypes", 2),
    ("if False:\n    import socket", "socket", 2),
    ("try:\n    import subprocess\nexcept ImportError:\n    pass", "subprocess", 2),
    ("__import__('os')", "os", 1),
    ("import urllib.request", "urllib.request", 1),
    ("import threading", "threading", 1),
    ("import multiprocessing", "multiprocessing", 1),
    ("import pickle", "pickle", 1),
    ("import importlib", "importlib", 1),
    ("import numpy", "numpy", 1),
    ("import no_such_module", "no_such_module", 1),
    ("class A: pass\nclass B(A): pass\nimport shutil", "shutil", 3),
]


@pytest.mark.parametrize("level", ["STANDARD", "STRICT"])
@pytest.mark.parametrize(("program", "module", "line"), REFUSED)
def test_other_modules_are_refused_by_name(
    levels: dict[str, Driven], level: str, program: str, module: str, line: int
) -> None:
    called.clear()
    result = levels[level].run(f"double(1); {program}" if line == 1 else program)
    error = result.error
    assert error is not None
    # At STRICT the guard has found it before an engine was asked for.
    by_guard = level == "STRICT"
    assert error.code is (ErrorCode.VALIDATION_ERROR if by_guard else ErrorCode.UNSUPPORTED)
    assert f"module '{module}' is not available" in error.message
    assert error.line == line
    assert result.stats.engine == "", "it was refused before it ran"
    assert not called


@pytest.fixture(scope="module")
def levels(driver: Driver) -> Iterator[dict[str, Driven]]:
    options: dict[str, Any] = {"tools": [double]}
    with (
        opened(driver, **options) as standard,
        opened(driver, security_level="STRICT", **options) as strict,
    ):
        yield {"STANDARD": standard, "STRICT": strict}


def test_every_refused_module_is_told_with_its_line(auto: Driven) -> None:
    error = auto.run("import socket\nimport os, json").error
    assert error is not None
    assert error.message.startswith("module 'socket'")
    assert "line 2: module 'os'" in error.message
    assert "json" not in error.message


@pytest.mark.parametrize(("program", "value"), ON_CPYTHON)
def test_strict_never_uses_cpython(levels: dict[str, Driven], program: str, value: Any) -> None:
    called.clear()
    result = levels["STRICT"].run(program)
    assert result.error is not None
    assert result.error.code is ErrorCode.UNSUPPORTED
    assert "cpython engine" in result.error.message
    assert result.error.line
    assert result.stats.engine == ""
    assert not called


def test_strict_uses_monty(levels: dict[str, Driven]) -> None:
    result = levels["STRICT"].run("double(21)")
    assert (result.value, result.stats.engine) == (42, "monty")


def test_runs_of_one_enclave_may_differ_in_engine(auto: Driven) -> None:
    engines = [auto.run(p).stats.engine for p in ("1", "def g(): yield 1", "1", "import heapq")]
    assert engines == ["monty", "cpython", "monty", "cpython"]


@pytest.mark.parametrize("engine", ["auto"])
def test_a_session_stays_on_its_engine(open_enclave: Opens) -> None:
    enclave = open_enclave()
    with enclave.session() as session:
        assert session.run("x = 1").stats.engine == "monty"
        error = session.run("class A: pass\nclass B(A): pass").error
        assert error is not None
        assert (error.code, error.line) == (ErrorCode.UNSUPPORTED, 2)
        assert "cpython" in error.message
        assert session.run("x").unwrap() == 1, "nothing was lost by it"
    with enclave.session() as session:
        assert session.run("def g(): yield 1").stats.engine == "cpython"
        again = session.run("list(g())")
        assert (again.value, again.stats.engine) == ([1], "cpython")


@pytest.mark.parametrize("engine", ["monty"])
def test_an_engine_that_is_asked_for_says_what_it_lacks(open_enclave: Opens) -> None:
    with open_enclave(tools=[double]).session() as session:
        for program, line in (
            ("x = 1\nclass A(int): pass", 2),
            ("import heapq", 1),
            ("import asyncio\nasyncio.create_task(double(1))", 2),
        ):
            error = session.run(program).error
            assert error is not None
            assert error.code is ErrorCode.UNSUPPORTED
            assert error.line == line
            assert "the monty engine lacks" in error.message
            assert "cpython engine has it" in error.message
