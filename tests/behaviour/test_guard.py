"""The guard as a host meets it: what refuses a program, what is said of it, rules of one's own."""

from __future__ import annotations

import ast
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ErrorCode, Finding, Guard, GuardRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Opens

CALLED: list[int] = []
NOTHING: tuple[Finding, ...] = ()


def note(number: int) -> int:
    CALLED.append(number)
    return number


def no_sevens(source: str, tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value == 7:
            yield Finding.at(node, source, "a seven", "write an eight")


def rule(check: Any = no_sevens, **options: Any) -> Guard:
    return Guard(rules=[GuardRule(id="NO_SEVENS", check=check, **options)])  # type: ignore[arg-type]


SEVENS = "note(1)\nx = 'é', 7\ny = 7"
FOUND = (
    Finding("NO_SEVENS", 2, 10, "x = 'é', 7", "a seven", "write an eight"),
    Finding("NO_SEVENS", 3, 5, "y = 7", "a seven", "write an eight"),
)


def test_all_is_said_at_once_and_nothing_has_run(open_enclave: Opens) -> None:
    CALLED.clear()
    result = open_enclave(guard=rule(), tools=[note]).run(SEVENS)
    error = result.error
    assert error is not None
    assert (error.code, error.line, error.type) == (ErrorCode.VALIDATION_ERROR, 2, "")
    assert error.findings == result.findings == FOUND
    assert error.message == (
        "a seven (write an eight) [guard/NO_SEVENS]; line 3: a seven (write an eight) "
        "[guard/NO_SEVENS]"
    )
    assert not CALLED
    assert result.stats.engine == ""


def test_a_warning_lets_the_program_run(open_enclave: Opens) -> None:
    result = open_enclave(guard=rule(action="warn"), tools=[note]).run(f"{SEVENS}\n5")
    assert (result.value, result.findings) == (5, FOUND)


def test_a_rule_that_allows_says_nothing(open_enclave: Opens) -> None:
    result = open_enclave(guard=rule(action="allow"), tools=[note]).run(f"{SEVENS}\n5")
    assert (result.value, result.findings) == (5, ())


def test_without_a_guard_no_rule_is_asked(open_enclave: Opens) -> None:
    result = open_enclave(guard=None, tools=[note]).run(f"{SEVENS}\n5")
    assert (result.value, result.findings) == (5, ())


def test_more_than_ten_findings_are_counted_in_the_message(open_enclave: Opens) -> None:
    result = open_enclave(guard=rule()).run("[" + "7, " * 150 + "]")
    assert result.error is not None
    assert result.error.message.endswith("; and 140 more")
    assert len(result.findings) == 100, "what the wire carries"


def raises(source: str, tree: ast.Module) -> Iterator[Finding]:
    raise LookupError(f"no {len(source)} {type(tree).__name__}")


def never_ends(source: str, tree: ast.Module) -> list[Finding]:
    return [finding for _ in itertools.count() for finding in NOTHING]


def gives(*findings: Any) -> Any:
    return lambda source, tree: findings


BROKEN: dict[str, tuple[Any, str]] = {
    "it raises": (raises, "failed (LookupError: no 1 Module)"),
    "it never ends": (never_ends, "took too long"),
    "it gives text": (gives("bad"), "failed (TypeError: a rule gives Finding(...), not str)"),
    "it gives None": (lambda source, tree: None, "failed (TypeError: 'NoneType' object is not"),
    "no line": (
        gives(Finding("", 0, 1, "", "")),
        "failed (TypeError: a finding's line and column are ints from 1)",
    ),
    "no message": (
        gives(Finding("", 1, 1, "", None)),  # type: ignore[arg-type]
        "failed (TypeError: a finding's texts are str)",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_refuses(open_enclave: Opens, name: str) -> None:
    check, how = BROKEN[name]
    result = open_enclave(guard=rule(check, action="warn")).run("1")
    assert result.error is not None
    (finding,) = result.error.findings
    assert finding.message.startswith(f"the rule 'NO_SEVENS' {how}")
    assert result.error.code is ErrorCode.VALIDATION_ERROR


def test_a_rule_sees_a_tree_of_its_own(open_enclave: Opens) -> None:
    def breaks(source: str, tree: ast.Module) -> list[Finding]:
        tree.body.clear()
        return []

    assert open_enclave(guard=rule(breaks)).run("1").value == 1


def test_wrong_syntax_is_a_finding(open_enclave: Opens) -> None:
    result = open_enclave().run("x = 1\ny = 'é' 1")
    assert result.error is not None
    (finding,) = result.error.findings
    assert (finding.rule, finding.line, finding.excerpt) == ("syntax", 2, "y = 'é' 1")
    assert result.error.type == "SyntaxError"
