"""Type checks that fail: what could not be checked is not let through."""

from __future__ import annotations

import os
from typing import Any

import pytest

from doublevm.engines.base import EngineDiedError
from doublevm.engines.monty_types import Diagnostic, MontyTypes, _diagnostics
from doublevm.parent.types import TypeCheck
from doublevm.parent.watchdog import Watchdog
from tests.guard.asking import reading


class Worker:
    def __init__(self, answer: tuple[Diagnostic, ...] | EngineDiedError) -> None:
        self.answer = answer

    def diagnose(self, source: str, stubs: str) -> tuple[Diagnostic, ...]:
        if isinstance(self.answer, EngineDiedError):
            raise self.answer
        return self.answer

    def kill(self) -> None:
        raise AssertionError("nobody waits for it")


@pytest.fixture
def watchdog() -> Any:
    read_fd, write_fd = os.pipe()
    yield Watchdog(read_fd)
    os.close(read_fd)
    os.close(write_fd)


def applied(watchdog: Watchdog, answer: Any, source: str = "é = 1\nf(é)") -> list[str]:
    read = reading(source)
    TypeCheck(Worker(answer), "", watchdog).apply(read, 5.0)  # type: ignore[arg-type]
    assert watchdog.deadline == float("inf"), "it watches no longer"
    return [f"{each.line}:{each.column} {each.message}" for each in read.refusing]


def test_a_worker_that_died_refuses(watchdog: Watchdog) -> None:
    found = applied(watchdog, EngineDiedError("types cannot be checked: it died"), "1")
    assert found == ["1:1 types cannot be checked: it died"]


def test_what_is_told_stands_where_it_was_found(watchdog: Watchdog) -> None:
    assert "2:3 wrong" in applied(watchdog, (Diagnostic(2, 3, "wrong"),))


def test_what_cannot_be_parsed_is_not_checked(watchdog: Watchdog) -> None:
    assert all("wrong" not in each for each in applied(watchdog, (Diagnostic(2, 3, "wrong"),), "("))


def test_a_worker_that_has_not_started_refuses() -> None:
    with pytest.raises(EngineDiedError, match="types cannot be checked: its worker has not"):
        MontyTypes(None, 2**26).diagnose("1", "")


def test_other_lines_are_no_diagnostics() -> None:
    text = (
        "program:1:1: error[unresolved-reference] Name\n"
        "program:2:3: warning[missing-argument] text\n"
        "program:2:3: error[missing-argument] text\n"
        "program:4:1: error[unresolved-attribute] Module `a` has no member `b`\n"
        "program:5:1: error[unresolved-attribute] Object of type `A` has no attribute `b`\n"
        "\n"
        "Found 5 diagnostics"
    )
    assert list(_diagnostics(text)) == [
        Diagnostic(1, 3, "text"),
        Diagnostic(4, 1, "Object of type `A` has no attribute `b`"),
    ]
