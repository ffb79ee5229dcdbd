"""From source to code: the value of the last expression, top-level ``return`` and ``await``.

Plain programs are compiled as a module whose last expression is stored in a name. A program with a
``return`` outside of functions is compiled as the body of a function all of whose names are global,
so that everything else means what it means in a module.
"""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any, Final

from doublevm.awaiting import awaited_calls, own_nodes
from doublevm.inner.iterations import count_iterations

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import CodeType

VALUE: Final = "__doublevm_value__"
AWAITED: Final = "__doublevm_awaited__"
BODY: Final = "__doublevm_body__"
"""Name of the function that a program with a ``return`` is compiled as."""

_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def compile_program(source: str, filename: str, *, counted: bool = False) -> CodeType:
    """Return code for ``execute``; tracebacks name it ``filename``.

    If it is ``counted``, each iteration calls the name ``COUNT``.

    Raises:
        SyntaxError: the program does not compile.
    """
    tree = ast.parse(source, filename)
    tree = _Awaiter(awaited_calls(tree)).visit(tree)
    if counted:
        count_iterations(tree)
    _keep_value(tree, as_return=_returns(tree))
    if _returns(tree):
        tree = _as_function(tree)
    ast.fix_missing_locations(tree)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code: CodeType = compile(tree, filename, "exec", flags, dont_inherit=True)
    return code


def execute(
    code: CodeType, names: dict[str, Any], run: Callable[[Coroutine[Any, Any, Any]], Any]
) -> Any:
    """Run compiled code in ``names`` and return its value; ``run`` runs a coroutine to its end."""
    names.pop(VALUE, None)
    if code.co_flags & inspect.CO_COROUTINE:
        coroutine: Coroutine[Any, Any, None] = eval(code, names)  # noqa: S307 - the very purpose
        run(coroutine)
    else:
        exec(code, names)  # noqa: S102 - the very purpose
    body = names.pop(BODY, None)
    if body is None:
        return names.pop(VALUE, None)
    return run(body()) if inspect.iscoroutinefunction(body) else body()


class _Awaiter(ast.NodeTransformer):
    """Wraps the callee of each awaited call, so that a tool there gives a coroutine."""

    def __init__(self, places: frozenset[tuple[int, int]]) -> None:
        self._places = places

    def visit(self, node: ast.AST) -> Any:
        node = self.generic_visit(node)
        place = (getattr(node, "lineno", 0), getattr(node, "col_offset", -1))
        if place in self._places and isinstance(node, ast.Name | ast.Attribute):
            return self._wrapped(node)
        return node

    def _wrapped(self, node: ast.Name | ast.Attribute) -> ast.expr:
        # ``users`` in ``users.list(…)`` starts at the same place as the callee: wrapping what is
        # no tool changes nothing, as awaitable_form gives it back.
        name = ast.copy_location(ast.Name(AWAITED, ast.Load()), node)
        if not isinstance(node.ctx, ast.Load):
            return node
        return ast.copy_location(ast.Call(name, [node], []), node)


def _returns(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Return) for node in own_nodes(tree, _SCOPES))


def _keep_value(tree: ast.Module, *, as_return: bool) -> None:
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        return
    target = ast.Name(VALUE, ast.Store())
    kept = ast.Return(last.value) if as_return else ast.Assign([target], last.value)
    tree.body[-1] = ast.copy_location(kept, last)


def _as_function(tree: ast.Module) -> ast.Module:
    own = own_nodes(tree, _SCOPES)
    is_async = any(isinstance(n, ast.Await | ast.AsyncFor | ast.AsyncWith) for n in own)
    names = sorted(_bound_names(own))
    body = [_Plain().visit(statement) for statement in tree.body]
    if names:
        body.insert(0, ast.Global(names))
    arguments = ast.arguments([], [], None, [], [], None, [])
    kind = ast.AsyncFunctionDef if is_async else ast.FunctionDef
    function = kind(name=BODY, args=arguments, body=body, decorator_list=[], returns=None)
    if "type_params" in function._fields:  # Python 3.12 and later
        setattr(function, "type_params", [])  # noqa: B010 - mypy knows 3.11 only
    return ast.Module([function], tree.type_ignores)


def _bound_names(nodes: list[ast.AST]) -> set[str]:
    found: set[str | None] = set()
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=name):
                found.add(name)
            case ast.MatchAs(name=name) | ast.MatchStar(name=name) | ast.MatchMapping(rest=name):
                found.add(name)
            case ast.alias(name=module, asname=name):
                found.add(name or module.split(".")[0])
    return {name for name in found if name and name != "*"}


class _Plain(ast.NodeTransformer):
    """Takes away what a module may hold and a function with global names may not."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = visit_FunctionDef  # type: ignore[assignment]  # noqa: N815

    def visit_Global(self, node: ast.Global) -> ast.AST:
        return ast.copy_location(ast.Pass(), node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None or not isinstance(node.target, ast.Name):
            return ast.copy_location(ast.Pass(), node) if node.value is None else node
        return ast.copy_location(ast.Assign([node.target], node.value), node)
