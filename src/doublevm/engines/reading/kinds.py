"""The type of an expression, as far as its text alone tells."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from doublevm.word_lists import words

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN: Final = "?"

_BY_NODE: Final[Mapping[type[ast.AST], str]] = {
    ast.JoinedStr: "str",
    ast.List: "list",
    ast.ListComp: "list",
    ast.Set: "set",
    ast.SetComp: "set",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.Tuple: "tuple",
    ast.GeneratorExp: "generator",
}
_BY_CALL: Final[Mapping[str, str]] = {
    **{name: name for name in ("bytes", "dict", "float", "int", "list", "range", "set", "tuple")},
    "str": "str",
    "repr": "str",
    "format": "str",
    "sorted": "list",
}
_TEXT_METHODS: Final = words(
    "capitalize format hexdigest isoformat join lower replace strftime strip title upper"
)


def kind_of(node: ast.expr) -> str:
    """Name the builtin type of an expression, or `UNKNOWN`."""
    if isinstance(node, ast.Constant):
        return type(node.value).__name__
    if isinstance(node, ast.BinOp):
        return _of_operation(node)
    if isinstance(node, ast.Call):
        return _of_call(node.func)
    if isinstance(node, ast.IfExp):
        kinds = {_shallow(node.body), _shallow(node.orelse)}
        return kinds.pop() if len(kinds) == 1 else UNKNOWN
    return _BY_NODE.get(type(node), UNKNOWN)


def _shallow(node: ast.expr) -> str:
    return UNKNOWN if isinstance(node, ast.IfExp) else kind_of(node)


def _of_operation(node: ast.BinOp) -> str:
    """Text stays text under + and %; the left end of a chain decides the rest."""
    left: ast.expr = node
    while isinstance(left, ast.BinOp):
        if isinstance(left.op, ast.Add | ast.Mod) and _is_text(left.right):
            return "str" if isinstance(left.op, ast.Add) else UNKNOWN
        if isinstance(left.op, ast.Mult) and isinstance(left.left, ast.List):
            return "list"
        left = left.left
    return "str" if _is_text(left) else UNKNOWN


def _is_text(node: ast.expr) -> bool:
    return not isinstance(node, ast.BinOp | ast.IfExp) and kind_of(node) == "str"


def _of_call(function: ast.expr) -> str:
    if isinstance(function, ast.Name):
        return _BY_CALL.get(function.id, UNKNOWN)
    if not isinstance(function, ast.Attribute):
        return UNKNOWN
    if function.attr in _TEXT_METHODS:
        return "str"
    return "view" if function.attr in {"items", "keys", "values"} else UNKNOWN
