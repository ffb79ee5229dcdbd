"""Rules of the host's own: asked in the parent VM, and not trusted to work."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from doublevm.barriers.patience import TooSlowError
from doublevm.guard.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.barriers.patience import Patience
    from doublevm.guard_options import Action, Check

MOST_LINES: Final = 2**31
"""What the wire can carry."""


@dataclass(frozen=True, slots=True)
class OwnRule:
    """A rule as it has arrived: its function loaded."""

    id: str
    action: Action
    check: Check


def ask(rule: OwnRule, source: str, patience: Patience) -> tuple[Action, list[Finding]]:
    """Return what a rule finds, and what becomes of the program then.

    A rule that is broken has not let anything through: the program is refused, whatever the rule's
    findings would do. It gets a tree of its own, as it may change it.
    """
    try:
        answer = patience(lambda: list(findings(rule.id, rule.check, source)))
    except TooSlowError:
        return "refuse", [_broken(rule, "took too long")]
    # The border to the host's functions: whatever they raise, SystemExit too, refuses the program.
    except BaseException as error:  # noqa: BLE001
        return "refuse", [_broken(rule, f"failed ({type(error).__name__}: {error})")]
    assert isinstance(answer, list)
    return rule.action, answer


def findings(name: str, check: Check, source: str) -> Iterator[Finding]:
    """Yield what a function of the host's finds, as findings of that name.

    Raises:
        TypeError: it gives something else; or whatever it raises.
    """
    for finding in check(source, ast.parse(source)):
        if not isinstance(finding, Finding):
            raise TypeError(f"a rule gives Finding(...), not {type(finding).__name__}")
        texts: tuple[Any, ...] = (finding.excerpt, finding.message, finding.suggestion)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a finding's texts are str")
        place: tuple[Any, ...] = (finding.line, finding.column)
        if not all(isinstance(number, int) and 1 <= number <= MOST_LINES for number in place):
            raise TypeError("a finding's line and column are ints from 1")
        yield replace(finding, rule=name)


def _broken(rule: OwnRule, how: str) -> Finding:
    message = f"the rule {rule.id!r} {how}, so nothing is let through"
    return Finding(rule.id, 1, 1, "", message, "")
