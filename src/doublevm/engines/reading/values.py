"""Checks of names and attributes: what is looked up on what."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from doublevm.engines.monty_gaps import gap
from doublevm.engines.monty_names import (
    CALLED_ONLY,
    CLASS_VALUES,
    METHODS,
    MISSING_BUILTINS,
    MISSING_METHODS,
    SHARED_METHODS,
)
from doublevm.engines.reading.facts import EXCEPTIONS
from doublevm.engines.reading.steps import dotted
from doublevm.engines.reading.syntax import is_dunder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from doublevm.engines.reading.scan import Checks, Scan

MISSING_ANYWHERE: Final[Mapping[str, str]] = {
    name: kind
    for kind, names in reversed(tuple(MISSING_METHODS.items()))
    for name in names - SHARED_METHODS
}
"""Methods that can be told by their name alone, with the first type that lacks them."""
_KNOWN_DUNDERS: Final = frozenset({"__name__", "__debug__"})
_STREAMS: Final = frozenset({"sys.stdout", "sys.stderr"})
_IN_PLACE: Final = (ast.BitOr, ast.BitAnd, ast.BitXor, ast.Sub)
# A generator or a map is not among them: on monty it is a list.
_NOT_LISTS: Final = frozenset({"tuple", "str", "bytes", "set", "dict", "range", "view"})


def _name(scan: Scan, node: ast.Name) -> Iterator[str]:
    if not isinstance(node.ctx, ast.Load) or scan.is_own(node.id):
        return
    if node.id in scan.facts.tools or node.id in scan.facts.aliases:
        return
    if node.id in MISSING_BUILTINS:
        yield f"builtin '{node.id}'"
    elif is_dunder(node.id) and node.id not in _KNOWN_DUNDERS:
        yield gap("dunder-name")


def _attribute(scan: Scan, node: ast.Attribute) -> Iterator[str]:
    """Judge an attribute by what it is taken from, as far as that is known."""
    base = scan.function(node.value)
    if isinstance(node.ctx, ast.Store):
        yield from _stored(scan, node)
    elif base in CALLED_ONLY:
        yield from _of_type(scan, node, base)
    elif base in _STREAMS:
        yield f"'{base}.{node.attr}'"
    elif is_dunder(node.attr):
        yield from _dunder(scan, node)
    elif not base and not scan.graph.is_tool_path(dotted(node)):
        yield from _of_value(scan, node)


def _stored(scan: Scan, node: ast.Attribute) -> Iterator[str]:
    if not isinstance(node.value, ast.Name):
        return
    if node.value.id in scan.facts.handlers:
        yield gap("exception-attribute")
    elif node.value.id in scan.facts.functions:
        yield gap("function-attribute")


def _of_type(scan: Scan, node: ast.Attribute, base: str) -> Iterator[str]:
    """`str.upper` is no value, and not even callable; `dict.fromkeys(…)` is."""
    callable_here = id(node) in scan.called and node.attr in CALLED_ONLY[base]
    if not callable_here and node.attr not in CLASS_VALUES.get(base, ()):
        yield gap("dunder-attribute") if is_dunder(node.attr) else gap("type-method")


def _dunder(scan: Scan, node: ast.Attribute) -> Iterator[str]:
    base = node.value
    if node.attr == "__class__" and _is_self(base):
        return
    is_class = isinstance(base, ast.Name) and base.id in scan.facts.classes
    is_class |= dotted(base) == ("self", "__class__")
    if node.attr == "__name__" and isinstance(base, ast.Call):
        is_class |= scan.builtin(base.func) == "type"
    if not (is_class and node.attr in {"__name__", "__doc__"}):
        yield gap("dunder-attribute")


def _of_value(scan: Scan, node: ast.Attribute) -> Iterator[str]:
    kind = scan.facts.kind(node.value)
    name = node.attr
    if name in MISSING_METHODS.get(kind, ()):
        yield f"method '{name}' of {kind}"
    elif name in scan.facts.fields:
        return
    elif isinstance(node.value, ast.Name) and node.value.id in scan.facts.handlers:
        if name != "args":
            yield gap("exception-attribute")
    elif name in MISSING_ANYWHERE and name not in scan.facts.methods:
        yield f"method '{name}' of {MISSING_ANYWHERE[name]}"
    elif name in METHODS and id(node) not in scan.called and not _is_self(node.value):
        yield gap("method-value")


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _subscript(scan: Scan, node: ast.Subscript) -> Iterator[str]:
    if scan.origin(node.value).startswith("typing."):
        yield gap("typing-subscript")


def _comparison(scan: Scan, node: ast.Compare) -> Iterator[str]:
    sides = [node.left, *node.comparators]
    if any(isinstance(side, ast.Call) and scan.builtin(side.func) == "type" for side in sides):
        named = [each for side in sides for each in getattr(side, "elts", [side])]
        if any(scan.builtin(each) in EXCEPTIONS for each in named):
            yield gap("type-comparison")


def _augmented(scan: Scan, node: ast.AugAssign) -> Iterator[str]:
    kind = scan.facts.kind(node.target)
    value = scan.facts.kind(node.value)
    if isinstance(node.op, _IN_PLACE) and _may_be_shared_set(scan, node, kind, value):
        yield gap("inplace-set")
    elif isinstance(node.op, ast.Mult) and kind == "list":
        yield gap("inplace-repeat")
    elif isinstance(node.op, ast.Add) and kind == "list" and value in _NOT_LISTS:
        yield gap("list-iadd")


def _may_be_shared_set(scan: Scan, node: ast.AugAssign, kind: str, value: str) -> bool:
    """Tell whether somebody may hold the set that monty replaces instead of changing it."""
    if {kind, value} & {"bool", "dict", "float", "int"}:
        return False
    if isinstance(node.op, ast.Sub) and "set" not in (kind, value):
        return False
    if isinstance(node.target, ast.Name) and kind == "set":
        return node.target.id in scan.facts.shared
    return True


def _operation(scan: Scan, node: ast.BinOp) -> Iterator[str]:
    """A duration times or by a fraction; other duration arithmetic is in whole numbers."""
    sides = (node.left, node.right)
    if not isinstance(node.op, ast.Mult | ast.Div):
        return
    if any(scan.facts.kind(side) == "float" for side in sides) and any(
        isinstance(side, ast.Call) and scan.origin(side.func) == "datetime.timedelta"
        for side in sides
    ):
        yield gap("timedelta-float")


CHECKS: Checks = {
    ast.Name: (_name,),
    ast.Attribute: (_attribute,),
    ast.Subscript: (_subscript,),
    ast.Compare: (_comparison,),
    ast.AugAssign: (_augmented,),
    ast.BinOp: (_operation,),
}
