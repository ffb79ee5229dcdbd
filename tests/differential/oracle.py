"""What CPython itself makes of a program, with the meaning this project gives a program.

The value is that of the last expression, or of a top-level `return`; `await` may stand at the
top level; each program has a namespace of its own. Nothing of the project is used for this, so
that an error of ours cannot be on both sides of a comparison.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import warnings
from dataclasses import dataclass
from typing import Any

_RESULT = "__result__"
_MAIN = "__main_of_the_program__"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that the engines must agree on."""

    value: Any = None
    stdout: str = ""
    error: str | None = None
    """The name of the exception's type."""


def run(source: str) -> Outcome:
    """Run one program in this process."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = _evaluate(source, namespace)
    except BaseException as error:  # noqa: BLE001 - a program may raise SystemExit
        return Outcome(stdout=out.getvalue(), error=type(error).__name__)
    return Outcome(value, out.getvalue())


def _evaluate(source: str, namespace: dict[str, Any]) -> Any:
    tree = ast.parse(source)
    if _returns(tree):
        return _call_as_function(tree, namespace)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = tree.body[-1]
        tree.body[-1] = ast.Assign([ast.Name(_RESULT, ast.Store())], last.value)
    _execute(tree, namespace)
    return namespace.get(_RESULT)


def _execute(tree: ast.Module, namespace: dict[str, Any]) -> None:
    ast.fix_missing_locations(tree)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(tree, "<program>", "exec", flags=flags, dont_inherit=True)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, namespace))  # noqa: S307 - the programs are the corpus
    else:
        exec(code, namespace)  # noqa: S102 - the programs are the corpus


def _returns(tree: ast.Module) -> bool:
    """Look for a `return` outside every function."""
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Return):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            stack.extend(ast.iter_child_nodes(node))
    return False


def _call_as_function(tree: ast.Module, namespace: dict[str, Any]) -> Any:
    """Run a program with a top-level `return` as the body of a function.

    Its names are then local, which none of the programs of the corpus can tell.
    """
    if isinstance(tree.body[-1], ast.Expr):
        tree.body[-1] = ast.Return(tree.body[-1].value)
    template = ast.parse(f"def {_MAIN}(): pass\n{_RESULT} = {_MAIN}()")
    function = template.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = tree.body
    _execute(template, namespace)
    return namespace[_RESULT]


def plain(value: Any) -> Any:
    """Turn a value into one that compares as the corpus means it: by type and text.

    NaN equals itself, -0.0 differs from 0.0, 1 from 1.0 and True; the order of a set is nothing.
    """
    kind = type(value).__name__
    if isinstance(value, set | frozenset):
        return (kind, sorted(repr(plain(each)) for each in value))
    if isinstance(value, dict):
        return ("dict", [(plain(key), plain(each)) for key, each in value.items()])
    if isinstance(value, list | tuple):
        # A named tuple crosses as the plain tuple it is.
        name = "list" if isinstance(value, list) else "tuple"
        return (name, [plain(each) for each in value])
    return (kind, repr(value))
