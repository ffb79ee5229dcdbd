"""Every program of the corpus means on our engines what it means on CPython itself.

On the cpython engine that holds for all of them. On monty it holds for each program of which the
table of gaps says that monty has everything it uses.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from doublevm import Enclave
from doublevm.engines.choice import lacking_in_monty
from tests.differential.corpus import CASES, Case
from tests.differential.oracle import Outcome, plain
from tests.differential.oracle import run as run_on_cpython

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm import RunResult


@pytest.fixture(scope="module")
def cpython() -> Iterator[Enclave]:
    with Enclave(engine="cpython", security_level="STANDARD") as enclave:
        yield enclave


@pytest.fixture(scope="module")
def monty() -> Iterator[Enclave]:
    with Enclave(engine="monty", security_level="STANDARD") as enclave:
        yield enclave


def monty_has_all_of(source: str) -> bool:
    try:
        return not lacking_in_monty(ast.parse(source))
    except SyntaxError:
        return True


ON_MONTY = [case for case in CASES if monty_has_all_of(case.source)]


def facts(outcome: Outcome) -> tuple[object, str, str | None]:
    """Bring an outcome into a form that compares, and reads well where it does not."""
    return (plain(outcome.value), outcome.stdout, outcome.error)


def outcome_of(result: RunResult) -> Outcome:
    return Outcome(result.value, result.stdout, result.error.type if result.error else None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_cpython(cpython: Enclave, case: Case) -> None:
    assert facts(outcome_of(cpython.run(case.source))) == facts(run_on_cpython(case.source))


@pytest.mark.parametrize("case", ON_MONTY, ids=lambda case: case.id)
def test_monty(monty: Enclave, case: Case) -> None:
    assert facts(outcome_of(monty.run(case.source))) == facts(run_on_cpython(case.source))


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 500
    assert len(ON_MONTY) >= 400


def test_the_corpus_tells_one_case_from_another() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    assert len({case.source for case in CASES}) == len(CASES)
