"""Modules that are not on the level's list, and parts of listed ones that lead to others."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from doublevm.engines.reading.imports import Use, refusal_of, uses
from doublevm.module_lists import REFUSED_ATTRIBUTES, REFUSED_MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.findings import Finding
    from doublevm.guard.program import Program, Surroundings

RULE: Final = "imports"

_IMPORT_ERRORS: Final = frozenset(
    ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")
)


def imports(program: Program) -> Iterator[Finding]:
    """Yield what is imported and may not be."""
    survey = program.survey
    expected, unrun = set(_expected(program)), set(_unrun(program))
    for statement in survey.of(ast.Import, ast.ImportFrom):
        assert isinstance(statement, ast.Import | ast.ImportFrom)
        if statement in unrun:
            continue
        for alias, use in zip(_aliases(statement), uses(statement), strict=True):
            if why := _why_not(use, program.around, optional=statement in expected):
                yield _finding(program, alias, why)
    for call in survey.of(ast.Call):
        match call:
            case ast.Call(func=ast.Name(id="__import__"), args=[ast.Constant(value=str(name)), *_]):
                if why := _why_not(Use(name), program.around, optional=False):
                    yield _finding(program, call, why)
    for attribute in survey.of(ast.Attribute):
        module, _, name = survey.origin(attribute).rpartition(".")
        if why := _why_not_part(module, name, program.around):
            yield _finding(program, attribute, why)


def _aliases(statement: ast.Import | ast.ImportFrom) -> list[ast.alias]:
    return statement.names


def _expected(program: Program) -> Iterator[ast.stmt]:
    """Yield the imports whose failure the program is ready for."""
    for block in program.survey.of(ast.Try):
        caught = {_last_name(each) for handler in block.handlers for each in _types(handler)}
        if caught & _IMPORT_ERRORS or any(handler.type is None for handler in block.handlers):
            yield from block.body


def _unrun(program: Program) -> Iterator[ast.stmt]:
    """Yield what is there for type checkers only."""
    for block in program.survey.of(ast.If):
        if _last_name(block.test) == "TYPE_CHECKING":
            yield from block.body


def _types(handler: ast.ExceptHandler) -> list[ast.expr | None]:
    return [*handler.type.elts] if isinstance(handler.type, ast.Tuple) else [handler.type]


def _last_name(node: ast.expr | None) -> str:
    return getattr(node, "id", "") or getattr(node, "attr", "")


def _why_not(use: Use, around: Surroundings, *, optional: bool) -> str:
    """Return why something may not be imported, with what to do instead; or nothing."""
    root = use.module.partition(".")[0]
    if root in around.packages:
        return ""
    if use.module in around.modules:
        return _why_not_part(use.module, use.name, around)
    if optional and root not in REFUSED_MODULES:
        return ""
    return refusal_of(use.module) or (
        f"module '{use.module}' is not available to guest programs: it is not on the list of the "
        "security level"
    )


def _why_not_part(module: str, name: str, around: Surroundings) -> str:
    why = REFUSED_ATTRIBUTES.get(module, {}).get(name, "")
    if not why or f"{module}.{name}" in around.modules or name in around.modules:
        return ""
    return f"'{module}.{name}' is not available to guest programs: {why}"


def _finding(program: Program, node: ast.AST, why: str) -> Finding:
    message, _, instead = why.partition("; ")
    return program.finding(RULE, node, message, instead)
