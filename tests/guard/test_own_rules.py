"""Rules of one's own, asked as the parent VM asks them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import Finding
from doublevm.barriers.patience import TooSlowError, for_ever
from doublevm.guard.own_rules import OwnRule, ask

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = "x = 1\nprint('é', x)"
FINE = Finding("theirs", 2, 3, "excerpt", "message", "advice")


def asked(check: Any, patience: Callable[[Any], object] = for_ever) -> tuple[str, list[Finding]]:
    return ask(OwnRule("MINE", "warn", check), SOURCE, patience)


def test_its_findings_carry_its_id() -> None:
    found = Finding("MINE", 2, 3, "excerpt", "message", "advice")
    assert asked(lambda source, tree: [FINE]) == ("warn", [found])
    assert asked(lambda source, tree: iter((FINE, FINE))) == ("warn", [found, found])
    assert asked(lambda source, tree: ()) == ("warn", [])


def test_it_is_given_the_source_and_a_tree() -> None:
    def check(source: str, tree: ast.Module) -> list[Finding]:
        (call,) = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
        return [Finding.at(call.args[1], source, "second"), Finding.at(tree, source, "all")]

    assert asked(check) == (
        "warn",
        [
            Finding("MINE", 2, 12, "print('é', x)", "second"),
            Finding("MINE", 1, 1, "x = 1", "all"),
        ],
    )


def leave(*_: Any) -> Any:
    raise SystemExit(3)


BROKEN: dict[str, tuple[Any, str]] = {
    "leaves": (leave, "failed (SystemExit: 3)"),
    "raises": (lambda source, tree: 1 // 0, "failed (ZeroDivisionError: integer division or mod"),
    "gives text": (lambda source, tree: "no", "failed (TypeError: a rule gives Finding(...), not"),
    "a wrong line": (
        lambda source, tree: [Finding("", 0, 1, "", "m")],
        "failed (TypeError: a finding's line and column are ints from 1)",
    ),
    "a column beyond": (
        lambda source, tree: [Finding("", 1, 2**32, "", "m")],
        "failed (TypeError: a finding's line and column are ints from 1)",
    ),
    "no text": (
        lambda source, tree: [Finding("", 1, 1, "", "m", 5)],  # type: ignore[arg-type]
        "failed (TypeError: a finding's texts are str)",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_that_is_broken_refuses(name: str) -> None:
    check, how = BROKEN[name]
    action, (finding,) = asked(check)
    assert action == "refuse"
    assert (finding.rule, finding.line, finding.column) == ("MINE", 1, 1)
    assert finding.message.startswith(f"the rule 'MINE' {how}")
    assert finding.message.endswith(", so nothing is let through")


def test_one_that_takes_too_long_refuses() -> None:
    def impatient(_: Any) -> object:
        raise TooSlowError

    action, (finding,) = asked(lambda source, tree: [], impatient)
    assert (action, finding.message) == (
        "refuse",
        "the rule 'MINE' took too long, so nothing is let through",
    )
