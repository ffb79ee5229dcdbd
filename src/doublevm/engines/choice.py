"""What `engine="auto"` does: choose an engine from a program's syntax tree, before it runs.

A program never starts on one engine and restarts on the other, so this decides alone. Believing
that monty has what it lacks would fail a program half-way, after tools were called; believing
the opposite costs a millisecond. In doubt, the answer is therefore cpython.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from doublevm.engines.reading import calls, imports, lazy, syntax, values
from doublevm.engines.reading.scan import Check, Checks, Scan, walk
from doublevm.module_lists import MONTY_ONLY_MODULES

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing a program uses, and where it does so first."""

    what: str
    line: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine for a program, with what monty lacks for it."""

    engine: Literal["monty", "cpython"]
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A program that no engine may run under `auto`."""

    reasons: tuple[Reason, ...]
    message: str


def _joined(parts: Iterable[Checks]) -> Checks:
    """Put the checks of several modules into one table."""
    joined: dict[type[ast.AST], tuple[Check, ...]] = {}
    for part in parts:
        for node, checks in part.items():
            joined[node] = (*joined.get(node, ()), *checks)
    return joined


_LACKING: Final = _joined(part.CHECKS for part in (syntax, imports, values, calls, lazy))


def choose(
    tree: ast.Module,
    tools: frozenset[str] = frozenset(),
) -> Choice | Refusal:
    """Choose the engine for a program, or refuse it.

    Args:
        tree: The program.
        tools: The names of the operations the host has registered.
    """
    scan = Scan.of(tree, tools)
    refused = _find(scan, imports.REFUSED)
    if refused:
        return Refusal(refused, _message(refused))
    reasons = _find(scan, _LACKING)
    if not reasons:
        return Choice("monty")
    stuck = _stuck_on_monty(scan, reasons[0])
    return Refusal(stuck, _message(stuck)) if stuck else Choice("cpython", reasons)


def lacking_in_monty(tree: ast.Module, tools: frozenset[str] = frozenset()) -> tuple[Reason, ...]:
    """Name what a program uses and monty does not have, in the order of the text."""
    return _find(Scan.of(tree, tools), _LACKING)


def _find(scan: Scan, checks: Checks) -> tuple[Reason, ...]:
    found = dict.fromkeys(walk(scan, checks))
    return tuple(Reason(what, line) for what, line in found)


def _stuck_on_monty(scan: Scan, why: Reason) -> tuple[Reason, ...]:
    """Find the modules that keep a program on monty although it needs cpython."""
    return tuple(
        Reason(
            f"module '{module}' is available on the monty engine only "
            f"({MONTY_ONLY_MODULES[module]}), which lacks {why.what} (line {why.line})",
            line,
        )
        for module, line in imports.monty_only(scan)
    )


def _message(reasons: tuple[Reason, ...]) -> str:
    """Say each thing once, at its first line."""
    first = {reason.what: reason.line for reason in reversed(reasons)}
    return "; ".join(f"line {line}: {what}" for what, line in reversed(first.items()))
