"""Follows what tools return through expressions."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

from doublevm.guard.scoring.calls import Calls
from doublevm.guard.scoring.names import Scope, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Expressions(Calls):
    """Reads expressions; statements are its subclass's."""

    def mask(self, node: ast.expr) -> int:
        """Read an expression; return which calls' results are in its value, as a mask."""
        return _READ.get(type(node), _parts)(self, node)

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a target; one that is taken apart has something of the value in every part."""
        if type(target) is ast.Name:
            self.bind(target.id, value)
            return
        match target:
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self.assign(part, Value(value.mask, root=value.root))
            case ast.Starred(value=inner):
                self.assign(inner, Value(value.mask, root=value.root))
            case _:
                assert isinstance(target, ast.Attribute | ast.Subscript)
                self.mask(target.value)
                if isinstance(target, ast.Subscript):
                    self.mask(target.slice)
                self.put_into(target.value, value.mask)


def _parts(reader: Expressions, node: ast.AST) -> int:
    """What has parts has what is in them."""
    mask = 0
    for part in ast.iter_child_nodes(node):
        mask |= _READ.get(type(part), _parts)(reader, part)
    return mask


def _items(reader: Expressions, items: Iterable[ast.expr | None]) -> int:
    mask = 0
    for item in items:
        if item is not None:
            mask |= reader.mask(item)
    return mask


def _nothing(_reader: Expressions, _node: ast.AST) -> int:
    return 0


def _name(reader: Expressions, node: ast.Name) -> int:
    # As lookup does: names are what programs have most of.
    name = node.id
    for scope in reversed(reader.scopes):
        if name in scope.names:
            return scope.names[name].mask
    return 0


def _attribute(reader: Expressions, node: ast.Attribute) -> int:
    mask = reader.mask(node.value)
    if mask:
        reader.ledger.field(node.attr, node, mask)
    return mask


def _subscript(reader: Expressions, node: ast.Subscript) -> int:
    mask = reader.mask(node.value)
    reader.mask(node.slice)
    if mask:
        reader.field(node.slice, node, mask)
    return mask


def _compare(reader: Expressions, node: ast.Compare) -> int:
    """An answer to a question about data is not the data."""
    reader.mask(node.left)
    _items(reader, node.comparators)
    return 0


def _unary(reader: Expressions, node: ast.UnaryOp) -> int:
    mask = reader.mask(node.operand)
    return 0 if isinstance(node.op, ast.Not) else mask


def _choice(reader: Expressions, node: ast.IfExp) -> int:
    reader.mask(node.test)
    return reader.mask(node.body) | reader.mask(node.orelse)


def _named(reader: Expressions, node: ast.NamedExpr) -> int:
    value = reader.value_of(node.value)
    reader.assign(node.target, value)
    return value.mask


def _yield(reader: Expressions, node: ast.Yield | ast.YieldFrom) -> int:
    if node.value is not None and reader.function is not None:
        reader.function.returns |= reader.mask(node.value)
    return 0


def _lambda(reader: Expressions, node: ast.Lambda) -> int:
    reader.define(node)
    return 0


def _comprehension(
    reader: Expressions, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
) -> int:
    outer = reader.scopes
    reader.scopes = [*outer, Scope()]
    loops = 0
    for generator in node.generators:
        value = reader.value_of(generator.iter)
        reader.loops += 1
        loops += 1
        reader.assign(generator.target, Value(value.mask, root=value.root))
        _items(reader, generator.ifs)
    made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    mask = _items(reader, made)
    reader.loops -= loops
    reader.scopes = outer
    return mask


_READ: Final[dict[type[ast.AST], Callable[[Any, Any], int]]] = {
    ast.Attribute: _attribute,
    ast.BinOp: lambda reader, node: reader.mask(node.left) | reader.mask(node.right),
    ast.BoolOp: lambda reader, node: _items(reader, node.values),
    ast.Call: Calls.call,
    ast.Compare: _compare,
    ast.Constant: _nothing,
    ast.Dict: lambda reader, node: _items(reader, (*node.keys, *node.values)),
    ast.DictComp: _comprehension,
    ast.FormattedValue: lambda reader, node: reader.mask(node.value),
    ast.GeneratorExp: _comprehension,
    ast.IfExp: _choice,
    ast.JoinedStr: lambda reader, node: _items(reader, node.values),
    ast.Lambda: _lambda,
    ast.List: lambda reader, node: _items(reader, node.elts),
    ast.ListComp: _comprehension,
    ast.Load: _nothing,
    ast.Name: _name,
    ast.NamedExpr: _named,
    ast.SetComp: _comprehension,
    ast.Subscript: _subscript,
    ast.Tuple: lambda reader, node: _items(reader, node.elts),
    ast.UnaryOp: _unary,
    ast.Yield: _yield,
    ast.YieldFrom: _yield,
}
"""What is not here is read part by part."""
