"""Sources that are made to be hard to read are refused before they run, and the pair is unharmed.

The parser cannot be interrupted, and what compiles a program later recurses over it: so what it
cannot stand must be known before. Nothing here is in the hands of the settings: the guard is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from doublevm import ErrorCode, Limits
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driven, Driver, Engine

MIB = 2**20


def nested(line: str, count: int, end: str = "pass") -> str:
    blocks = "".join(f"{' ' * i}{line.format(i)}\n" for i in range(count))
    return f"{blocks}{' ' * count}{end}"


REFUSED = {
    "parentheses that never close": "(" * 100_000,
    "parentheses": "(" * 100_000 + ")" * 100_000,
    "brackets and braces": "[{" * 50_000,
    "not": "not " * 200_000 + "1",
    "signs": "-" * 500_000 + "1",
    "a sum of a megabyte": "1" + "+1" * 500_000,
    "a sum": "1" + "+1" * 1000,
    "attributes": "a" + ".b" * 500_000,
    "calls": "a" + "()" * 100_000,
    "items": "a" + "[0]" * 300_000,
    "powers": "1" + "**1" * 300_000,
    "conditions": "1 if 1 else " * 80_000 + "1",
    "functions of functions": "f = " + "lambda: " * 100_000 + "1",
    "definitions": nested("def f{}():", 60),
    "blocks": nested("if 1:", 150),
    "elif": "if 1: pass\n" + "elif 1: pass\n" * 80_000,
    "a few hundred elif": "if 1: pass\n" + "elif 1: pass\n" * 300,
    "null": "x = 1\0",
    "a megabyte of names": "a\n" * 500_000,
    "a list of a million": "[" + "1," * 500_000 + "]",
    "f-strings within one another": "f'" + '{f"' * 200 + '"}' * 200 + "'",
    "fields of f-strings": "f'{a:" + "{b:" * 200 + "}" * 200 + "}'",
    "an f-string of a megabyte": "f'" + "{a}" * 330_000 + "'",
    "a pattern": "match x:\n case " + "[" * 300 + "]" * 300 + ": pass",
    "a line that goes on": "\\\n" * 500_000,
    "a long number": "1" * 1_000_000,
    "a name bound twice": "def f(a, a): pass",
    "strange indents": "if 1:\n\tx\n        y\n",
    "control characters": "\x01\x02\x03",
    "an unknown character": "x = 5 € 3",
}

RUN = {
    "many cases": "match 4321:\n" + "".join(f" case {i}: x = {i}\n" for i in range(5000)) + "x",
    "texts side by side": "len(" + "'a' " * 100_000 + ")",
    "nearly too deep": "1" + "+1" * 190,
    "parentheses that close": "(" * 150 + "1" + ")" * 150,
    "a long text": f"len('{'a' * (MIB - 100)}')",
}


@pytest.fixture(scope="module")
def enclave(driver: Driver, engine: Engine) -> Iterator[Driven]:
    with opened(driver, engine=engine, guard=None, limits=Limits(timeout=60)) as opened_enclave:
        yield opened_enclave


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_it_runs(enclave: Driven, name: str) -> None:
    result = enclave.run(REFUSED[name])
    assert result.error is not None
    assert result.error.code is ErrorCode.VALIDATION_ERROR
    assert result.error.findings, "with a place"
    assert result.error.findings[0].rule in {"syntax", "max_nesting", "max_nodes"}
    assert enclave.run("1 + 1").value == 2


@pytest.mark.parametrize("name", RUN)
def test_the_twin_runs(enclave: Driven, engine: Engine, name: str) -> None:
    result = enclave.run(RUN[name])
    error = result.error
    if error is not None:  # monty's compiler has limits of its own, and says so
        assert (engine, error.code) == ("monty", ErrorCode.VALIDATION_ERROR)
        assert error.message.startswith("SyntaxError: function too large")
        assert name == "many cases"
    assert enclave.run("1 + 1").value == 2


def test_a_program_that_cannot_be_text_is_the_hosts_mistake(enclave: Driven) -> None:
    with pytest.raises(ValueError, match="lone surrogates"):
        enclave.run("x = '\ud800'")
