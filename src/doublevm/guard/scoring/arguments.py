"""What a call gives to a tool, as far as the program's text says it.

Lists and dicts are taken apart: what is asked is whether there is a ``limit`` of a million, not how
deep it is.
"""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from doublevm.guard.scoring.constants import constant
from doublevm.guard.scoring.names import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from doublevm.guard.scoring.names import Value
    from doublevm.operation import Parameter
    from doublevm.score import ArgumentKind

_HOLE: Final = "{}"
"""Stands in a text for what is known when the program runs."""

_LARGEST: Final = 1e300
"""Numbers beyond are as good as this one; it can be sent, as JSON too."""


class Leaf(NamedTuple):
    """One value, and the name it goes by."""

    name: str
    kind: ArgumentKind
    value: Any
    node: ast.expr


def leaves(
    given: Sequence[tuple[str, ast.expr]], lookup: Callable[[str], Value | None]
) -> Iterator[Leaf]:
    """Yield the values in arguments, in their order.

    Args:
        given: names and expressions.
        lookup: gives what is known of a name.
    """

    def known(name: str) -> Any:
        value = lookup(name)
        return UNKNOWN if value is None else value.constant

    todo = [(name, node, True) for name, node in reversed(given)]
    while todo:
        name, node, may_follow = todo.pop()
        if may_follow and isinstance(node, ast.Name):
            value = lookup(node.id)
            if value is not None and value.literal is not None:
                # What is in it is not followed again: it may be itself.
                node, may_follow = value.literal, False
        inside = list(_inside(name, node))
        if inside:
            todo += [(key, item, may_follow) for key, item in reversed(inside)]
        else:
            yield _leaf(name, node, known)


def named(
    call: ast.Call, parameters: Sequence[Parameter], lookup: Callable[[str], Value | None]
) -> list[tuple[str, ast.expr]]:
    """Return a tool call's arguments with their names."""
    names = [parameter.name for parameter in parameters if parameter.positional]
    given: list[tuple[str, ast.expr]] = []
    for place, node in enumerate(call.args):
        if isinstance(node, ast.Starred):
            names = []
        given.append((names[place] if place < len(names) else "", node))
    for keyword in call.keywords:
        if keyword.arg is None:
            given += _spread(keyword.value, lookup)
        else:
            given.append((keyword.arg, keyword.value))
    return given


def _spread(
    node: ast.expr, lookup: Callable[[str], Value | None]
) -> Iterator[tuple[str, ast.expr]]:
    value = lookup(node.id) if isinstance(node, ast.Name) else None
    literal = node if value is None else value.literal
    return _inside("", literal) if isinstance(literal, ast.Dict) else iter([("", node)])


def _inside(name: str, node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield what a literal holds, with names; nothing for what is empty, or no literal."""
    match node:
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                yield (_key(key), value)
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            for item in items:
                yield (name, item)


def _key(key: ast.expr | None) -> str:
    """Return a key as a name; what is not a text has none."""
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def _leaf(name: str, node: ast.expr, known: Callable[[str], Any]) -> Leaf:
    if isinstance(node, ast.Dict | ast.List | ast.Tuple | ast.Set):
        return Leaf(name, "empty", None, node)
    value = constant(node, known)
    if value is UNKNOWN:
        text = _text(node, known)
        return Leaf(name, "unknown", None, node) if text is None else Leaf(name, "text", text, node)
    if value is None:
        return Leaf(name, "none", None, node)
    if isinstance(value, bool):
        return Leaf(name, "flag", value, node)
    if isinstance(value, str):
        return Leaf(name, "text", value, node) if value.strip() else Leaf(name, "empty", None, node)
    if isinstance(value, float) and math.isnan(value):
        return Leaf(name, "unknown", None, node)
    return Leaf(name, "number", _bounded(value), node)


def _bounded(number: float) -> float:
    """Return a number that can be sent."""
    if -(2**53) <= number <= 2**53:
        return number
    return float(max(-_LARGEST, min(_LARGEST, number)))


def _text(node: ast.expr, known: Callable[[str], Any]) -> str | None:
    """Return what is known of a text that is put together, with a hole for each of the rest."""
    match node:
        case ast.JoinedStr(values=parts):
            return "".join(_part(part, known) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            pieces = [_piece(left, known), _piece(right, known)]
            if pieces == [_HOLE, _HOLE]:
                return None
            return "".join(pieces)
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
            return text
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return text
    return None


def _piece(node: ast.expr, known: Callable[[str], Any]) -> str:
    value = constant(node, known)
    if isinstance(value, str):
        return value
    return _HOLE if value is not UNKNOWN else _text(node, known) or _HOLE


def _part(node: ast.expr, known: Callable[[str], Any]) -> str:
    inner = node.value if isinstance(node, ast.FormattedValue) else node
    value = constant(inner, known)
    return value if isinstance(value, str) else _HOLE
