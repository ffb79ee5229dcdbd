"""A program's syntax tree as a flat list, made once and gone over several times.

Nothing here recurses, for a program's depth is its author's choice.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final, NamedTuple

from doublevm.word_lists import words

if TYPE_CHECKING:
    from collections.abc import Iterator

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
ScopeNode = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
Owner = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_SCOPES: Final = (*FUNCTIONS, ast.ClassDef, ast.Module)

# Annotations are not evaluated by monty; contexts and operators are read from their nodes.
_NOT_RUN: Final = words("annotation returns type_params type_ignores ctx op ops")
_LONGEST_NAME: Final = 5

_fields: Final[dict[type[ast.AST], tuple[str, ...]]] = {}


class Step(NamedTuple):
    """One node on the way through a program, or the end of a scope."""

    node: ast.AST
    scope: ScopeNode
    """The function, class or module whose names the node sees first."""
    owner: Owner
    """The function that the node runs in."""
    leaves: bool = False
    """The scope `node` ends here."""


def flatten(tree: ast.Module) -> list[Step]:
    """List every node that runs, in the order of the text."""
    steps: list[Step] = []
    stack = [Step(tree, tree, tree)]
    while stack:
        step = stack.pop()
        steps.append(step)
        node, scope, owner, leaves = step
        if leaves:
            continue
        if isinstance(node, _SCOPES):
            stack.append(Step(node, scope, owner, leaves=True))
            scope = node
            owner = owner if isinstance(node, ast.ClassDef) else node
        children = [Step(child, scope, owner) for child in _children(node)]
        children.reverse()
        stack += children
    return steps


def _children(node: ast.AST) -> Iterator[ast.AST]:
    kind = type(node)
    names = _fields.get(kind)
    if names is None:
        names = _fields[kind] = tuple(name for name in kind._fields if name not in _NOT_RUN)
    if kind is ast.If and _is_type_checking(node):
        names = ("orelse",)
    for name in names:
        value = getattr(node, name, None)
        if isinstance(value, list):
            for item in value:
                if isinstance(item, ast.AST):
                    yield item
        elif isinstance(value, ast.AST):
            yield value


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and dotted(node.test)[-1:] == ("TYPE_CHECKING",)


def dotted(node: ast.AST) -> tuple[str, ...]:
    """Take `a.b.c` apart, or return nothing for any other expression."""
    if isinstance(node, ast.Name):
        return (node.id,)
    names: list[str] = []
    while isinstance(node, ast.Attribute) and len(names) < _LONGEST_NAME:
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ()
    return (node.id, *reversed(names))


def parameters(node: FunctionNode) -> Iterator[ast.arg]:
    """Yield every parameter of a function."""
    arguments = node.args
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (extra for extra in (arguments.vararg, arguments.kwarg) if extra)
