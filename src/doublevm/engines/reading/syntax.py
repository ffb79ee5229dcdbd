"""Checks of statements: classes, generators, asynchronous blocks, `del`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from doublevm.engines.monty_gaps import gap
from doublevm.engines.monty_names import SUPPORTED_DUNDERS
from doublevm.engines.reading.scan import Found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.engines.reading.scan import Check, Checks, Scan

_ASYNC_TWINS = {"__aenter__", "__aexit__", "__aiter__", "__anext__"}
"""Special methods that only matter to statements which are gaps of their own."""
_METHODS = (ast.FunctionDef, ast.AsyncFunctionDef)
_MAY_CALL_TOOLS = {"__init__", "__call__", "__enter__", "__exit__"}


def is_dunder(name: str) -> bool:
    """Tell whether a name is a special one."""
    return len(name) > 4 and name.startswith("__") and name.endswith("__")  # noqa: PLR2004


def _always(row_id: str) -> Check:
    """Make the check of a node that is a gap wherever it stands."""

    def check(_scan: Scan, _node: ast.AST) -> Iterator[str]:
        yield gap(row_id)

    return check


def _class(_scan: Scan, node: ast.ClassDef) -> Iterator[str | Found]:
    if node.bases:
        yield gap("class-inheritance")
    if node.keywords:
        yield gap("class-keyword")
    methods = {each.name for each in node.body if isinstance(each, _METHODS)}
    if "__getitem__" in methods and "__iter__" not in methods:
        yield gap("getitem-iteration")
    for statement in node.body:
        if row := _class_statement(statement):
            yield Found(gap(row), statement.lineno)


def _class_statement(node: ast.stmt) -> str:
    """Name the row of a statement that may not stand in a class body, or nothing."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Pass():
            return ""
        case ast.Expr(value=ast.Constant()) | ast.AnnAssign(target=ast.Name()):
            return ""
        case ast.Assign(targets=[ast.Name()]):
            return ""
        case ast.Assign() | ast.AnnAssign():
            return "class-target"
        case _:
            return "class-body"


def _method(scan: Scan, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    if not (scan.scopes and isinstance(scan.scopes[-1], ast.ClassDef)):
        return
    if node.decorator_list:
        yield gap("method-decorator")
    if not is_dunder(node.name) or node.name in _ASYNC_TWINS:
        return
    if node.name not in SUPPORTED_DUNDERS:
        yield f"special method '{node.name}'"
    elif node.name not in _MAY_CALL_TOOLS and node in scan.graph.suspending:
        yield gap("tool-special-method")


def _comprehension(_scan: Scan, node: ast.comprehension) -> Iterator[str]:
    if node.is_async:
        yield gap("async-comprehension")


def _generator(_scan: Scan, node: ast.GeneratorExp) -> Iterator[str]:
    """An `await` inside makes the generator asynchronous; the innermost one claims it."""
    if any(isinstance(each, ast.Await) for each in ast.walk(node.elt)):
        yield gap("async-comprehension")


CHECKS: Checks = {
    ast.ClassDef: (_class,),
    ast.FunctionDef: (_method,),
    ast.AsyncFunctionDef: (_method,),
    ast.Delete: (_always("del"),),
    ast.Yield: (_always("yield"),),
    ast.YieldFrom: (_always("yield-from"),),
    ast.AsyncFor: (_always("async-for"),),
    ast.AsyncWith: (_always("async-with"),),
    ast.TryStar: (_always("except-star"),),
    ast.comprehension: (_comprehension,),
    ast.GeneratorExp: (_generator,),
    **({ast.TypeAlias: (_always("type-alias"),)} if hasattr(ast, "TypeAlias") else {}),
}
