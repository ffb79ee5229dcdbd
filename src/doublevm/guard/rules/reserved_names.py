"""Definitions that take a name away: a tool's, or one that Python or doublevm keeps.

A model that was shown a tool's stub sometimes writes the tool itself as well. Its program then runs
against that, without one operation, and seems to succeed.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.findings import Finding
    from doublevm.guard.program import Program

RULE: Final = "reserved_names"

KEPT: Final = frozenset(
    ("__builtins__", "__build_class__", "__import__", "__loader__", "__spec__", "call_tool")
)
"""Names that make a guest what it is."""

_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def reserved_names(program: Program) -> Iterator[Finding]:
    """Yield every binding of a name that is kept, and every definition of a tool."""
    for node, name in _bindings(program):
        if name in KEPT or name.startswith("__doublevm"):
            message = f"the name '{name}' is kept for the program's surroundings"
            yield program.finding(RULE, node, message, "choose another name")
    # Not those within a class: a method is known by its object.
    for statement in program.tree.body:
        if isinstance(statement, _DEFINITIONS) and statement.name in program.around.roots:
            message = f"'{statement.name}' is a tool, which this definition hides"
            advice = "leave the definition out and call the tool"
            yield program.finding(RULE, statement, message, advice)


def _bindings(program: Program) -> Iterator[tuple[ast.AST, str]]:
    survey = program.survey
    for name in survey.of(ast.Name):
        if not isinstance(name.ctx, ast.Load):
            yield name, name.id
    for node in survey.of(*_DEFINITIONS):
        yield node, node.name
    for argument in survey.of(ast.arg):
        yield argument, argument.arg
    for alias in survey.of(ast.alias):
        yield alias, alias.asname or alias.name
