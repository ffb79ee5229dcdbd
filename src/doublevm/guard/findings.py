"""What is found in a program before it runs, in the form a model can act on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence

_LINE_END: Final = re.compile(r"\r\n|\r|\n")

LONGEST_EXCERPT: Final = 120
"""Characters of a line that an excerpt shows at most."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found at one place of a program.

    Lines and columns count from 1, columns in characters, as editors show them. (``ast`` counts
    columns from 0, in bytes of UTF-8.) A finding about the whole program is at line 1, column 1.
    """

    rule: str
    """The rule's name, which is that of the Guard's field that governs it, or a rule's own id."""
    line: int
    """1-based."""
    column: int
    """1-based, in characters."""
    excerpt: str
    """The line it is on, shortened around the column where it is long."""
    message: str
    """What is wrong, in one line."""
    suggestion: str = ""
    """What to write instead, in one line; empty where there is nothing to suggest."""

    @classmethod
    def at(cls, node: ast.AST, source: str, message: str, suggestion: str = "") -> Finding:
        """Return a finding at a node of the syntax tree, for a rule of your own.

        Its rule is filled in with that rule's id when it is told. A node without a place, such as
        the module or the arguments of a function, is at line 1, column 1.
        """
        return at_node("", node, lines_of(source), message, suggestion)

    def __str__(self) -> str:
        """Return one line: the place, what is wrong, what to do, and by which rule."""
        advice = f"; {self.suggestion}" if self.suggestion else ""
        return f"line {self.line}, column {self.column}: {self.message}{advice} [guard/{self.rule}]"


def at_node(
    rule: str, node: ast.AST, lines: Sequence[str], message: str, suggestion: str = ""
) -> Finding:
    """Return a finding at a node; ``lines`` are the program's, without their ends."""
    line = getattr(node, "lineno", 1)
    text = line_of(lines, line)
    offset = getattr(node, "col_offset", 0)
    column = len(text.encode("utf-8", "replace")[:offset].decode("utf-8", "ignore")) + 1
    return Finding(rule, line, column, excerpt(text, column), message, suggestion)


def at_place(
    rule: str, line: int, column: int, lines: Sequence[str], message: str, suggestion: str = ""
) -> Finding:
    """Return a finding at a line and a column, both 1-based, the column in characters."""
    text = line_of(lines, line)
    return Finding(rule, line, column, excerpt(text, column), message, suggestion)


def lines_of(source: str) -> list[str]:
    """Return a program's lines as Python counts them; ``str.splitlines`` knows of more ends."""
    return _LINE_END.split(source)


def line_of(lines: Sequence[str], line: int) -> str:
    """Return a line by its number; nothing for one that is not there."""
    return lines[line - 1] if 0 < line <= len(lines) else ""


def excerpt(line: str, column: int) -> str:
    """Return a line, or the part of a long one around the column, with ``…`` for what is cut."""
    begin = max(0, min(column - 1 - LONGEST_EXCERPT // 3, len(line) - LONGEST_EXCERPT))
    shown = line[begin : begin + LONGEST_EXCERPT]
    before = "…" if begin else ""
    after = "…" if begin + LONGEST_EXCERPT < len(line) else ""
    return f"{before}{shown.strip()}{after}"
