"""Reads one program: its text, its syntax tree, and what the rules find in both.

In this order, as each step makes the next one safe: sizes and what the parser would be slow with,
the parser, the size of the tree, the rules. Without a guard the limits remain that keep a program
from ending a VM.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from doublevm.guard.confusables import confusables
from doublevm.guard.findings import Finding, at_node, at_place, lines_of
from doublevm.guard.invisible import invisible
from doublevm.guard.literals import literals
from doublevm.guard.program import Program, Surroundings
from doublevm.guard.rules.computed_names import computed_names
from doublevm.guard.rules.dynamic_code import dynamic_code
from doublevm.guard.rules.imports import imports
from doublevm.guard.rules.internals import internals
from doublevm.guard.rules.reserved_names import reserved_names
from doublevm.guard.rules.unbounded_loops import unbounded_loops
from doublevm.guard.rules.unknown_names import unknown_names
from doublevm.guard.survey import Survey, TooLargeError
from doublevm.guard.text import sizes, slow_to_parse
from doublevm.guard_options import MAX_FUNCTIONS, MAX_NESTING, MAX_NODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from doublevm.guard_options import Action
    from doublevm.wire.guard_frames import Guarding

RULES: Final[dict[str, Callable[[Program], Iterable[Finding]]]] = {
    "imports": imports,
    "internals": internals,
    "dynamic_code": dynamic_code,
    "computed_names": computed_names,
    "unbounded_loops": unbounded_loops,
    "reserved_names": reserved_names,
    "unknown_names": unknown_names,
    "confusables": confusables,
}
"""The rules over the syntax tree, by the Guard's field that says what becomes of their findings."""


@dataclass(slots=True)
class Reading:
    """What is known of a program that has been read."""

    source: str
    lines: list[str]
    program: Program | None = None
    """None if there is no syntax tree, or none that may be looked at any further."""
    refusing: list[Finding] = field(default_factory=list)
    """Findings that keep it from running."""
    warning: list[Finding] = field(default_factory=list)
    """Findings that do not."""

    @property
    def tree(self) -> ast.Module | None:
        """The syntax tree, if there is one."""
        return None if self.program is None else self.program.tree

    def add(self, action: Action, findings: Iterable[Finding]) -> None:
        """Take findings in, by what becomes of them, in the order of the text."""
        if action == "allow":
            return
        taken = self.refusing if action == "refuse" else self.warning
        taken.extend(findings)
        taken.sort(key=lambda finding: (finding.line, finding.column))


def read(source: str, guarding: Guarding | None, around: Surroundings) -> Reading:
    """Read a program; it may be run if nothing refuses it."""
    reading = Reading(source, lines_of(source))
    if guarding is not None:
        reading.add("refuse", sizes(source, reading.lines, guarding))
    reading.add("refuse", slow_to_parse(source, reading.lines))
    if not any(finding.rule != "max_line_length" for finding in reading.refusing):
        _parse(reading, guarding, around)
    if guarding is None:
        return reading
    if not source.isascii() or not source.isprintable():
        reading.add(guarding.actions["invisible_characters"], invisible(reading.lines))
    if reading.program is not None:
        _apply(reading, reading.program, guarding)
    return reading


def unread(source: str, why: str) -> Reading:
    """Return a reading that was given up: what is not known to be harmless is not run."""
    reading = Reading(source, [])
    reading.add("refuse", [Finding("syntax", 1, 1, "", why)])
    return reading


def _apply(reading: Reading, program: Program, guarding: Guarding) -> None:
    reading.add("refuse", literals(program, guarding.max_literal_bytes))
    for name, rule in RULES.items():
        action = guarding.actions[name]
        if action != "allow":
            reading.add(action, rule(program))


def _parse(reading: Reading, guarding: Guarding | None, around: Surroundings) -> None:
    lines = reading.lines
    nesting = MAX_NESTING if guarding is None else guarding.max_nesting
    nodes = MAX_NODES if guarding is None else guarding.max_nodes
    try:
        survey = Survey(ast.parse(reading.source), nesting, nodes)
        reading.program = Program(reading.source, lines, survey, around)
    except SyntaxError as error:
        message = f"{type(error).__name__}: {error.msg}"
        place = (error.lineno or 1, max(1, error.offset or 1))
        reading.add("refuse", [at_place("syntax", *place, lines, message)])
    except TooLargeError as error:
        reading.add("refuse", [_too_large(error, nesting, nodes, lines)])
    # Null bytes and lone surrogates are ValueErrors; what is nested beyond the parser's stack is
    # a RecursionError or MemoryError, by version.
    except (ValueError, RecursionError, MemoryError) as error:
        message = f"SyntaxError: {str(error) or 'too deeply nested'}"
        reading.add("refuse", [at_place("syntax", 1, 1, lines, message)])


def _too_large(error: TooLargeError, nesting: int, nodes: int, lines: list[str]) -> Finding:
    rule, message, advice = {
        "max_nesting": (
            "max_nesting",
            f"the program is nested deeper than {nesting} levels here",
            "give parts of the expression or of the block names of their own",
        ),
        "functions": (
            "max_nesting",
            f"more than {MAX_FUNCTIONS} functions are defined within one another",
            "define them beside one another",
        ),
        "max_nodes": (
            "max_nodes",
            f"the program has more than {nodes:,} parts",
            "pass data in with inputs=",
        ),
    }[error.rule]
    return at_node(rule, error.node, lines, message, advice)
