"""Reads one program: its text, its syntax tree, and what the rules find in both."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from doublevm.guard.findings import Finding, at_place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doublevm.guard_options import Action
    from doublevm.wire.guard_frames import Guarding

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
"""What ends a line to Python; ``str.splitlines`` knows of more."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What there is beside the program: the names it may use without defining them."""

    tools: tuple[str, ...]
    inputs: frozenset[str] = frozenset()


@dataclass(slots=True)
class Reading:
    """What is known of a program that has been read."""

    source: str
    lines: list[str]
    tree: ast.Module | None = None
    """None if there is none, or none that may be looked at any further."""
    refusing: list[Finding] = field(default_factory=list)
    """Findings that keep it from running."""
    warning: list[Finding] = field(default_factory=list)
    """Findings that do not."""

    def add(self, action: Action, findings: Iterable[Finding]) -> None:
        """Take findings in, by what becomes of them, in the order of the text."""
        if action == "allow":
            return
        taken = self.refusing if action == "refuse" else self.warning
        taken.extend(findings)
        taken.sort(key=lambda finding: (finding.line, finding.column))


def read(source: str, guarding: Guarding | None, surroundings: Surroundings) -> Reading:  # noqa: ARG001
    """Read a program; it may be run if nothing refuses it."""
    reading = Reading(source, _LINE_END.split(source))
    _parse(reading)
    return reading


def unread(source: str, why: str) -> Reading:
    """Return a reading that was given up: what is not known to be harmless is not run."""
    reading = Reading(source, [])
    reading.add("refuse", [Finding("syntax", 1, 1, "", why)])
    return reading


def _parse(reading: Reading) -> None:
    lines = reading.lines
    try:
        reading.tree = ast.parse(reading.source)
    except SyntaxError as error:
        message = f"{type(error).__name__}: {error.msg}"
        place = (error.lineno or 1, error.offset or 1)
        reading.add("refuse", [at_place("syntax", *place, lines, message)])
    # Null bytes and lone surrogates are ValueErrors; what is nested beyond the parser's stack is
    # a RecursionError or MemoryError, by version.
    except (ValueError, RecursionError, MemoryError) as error:
        message = f"SyntaxError: {str(error) or 'too deeply nested'}"
        reading.add("refuse", [at_place("syntax", 1, 1, lines, message)])
