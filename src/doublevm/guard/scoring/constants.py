"""Values that a program's text says: literals, and what is computed from them in small steps."""

from __future__ import annotations

import ast
import math
import operator
import sys
from typing import TYPE_CHECKING, Any, Final

from doublevm.guard.scoring.names import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMED: Final = {("math", "inf"): math.inf, ("sys", "maxsize"): sys.maxsize}
_OPERATORS: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
}
_LARGEST_POWER: Final = 400
"""Of ten: beyond every float, and still quick to compute."""
_MOST_BITS: Final = 10_000
"""Of an int that is computed with; beyond, it is not followed any more."""
_LONGEST: Final = 100_000
"""Characters of a text that is put together; beyond, it is not followed any more."""


def constant(node: ast.expr, name: Callable[[str], Any]) -> Any:
    """Return the value of an expression, or UNKNOWN.

    Args:
        node: the expression.
        name: gives the value of a name, or UNKNOWN.
    """
    kind = type(node)
    if kind not in _MAY_BE_CONSTANT:
        return UNKNOWN
    match node:
        case ast.Constant(value=value):
            return value if value is None or isinstance(value, _SCALARS) else UNKNOWN
        case ast.Name(id=identifier):
            return name(identifier)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=inner):
            return _signed(sign, constant(inner, name))
        case ast.BinOp(left=left, op=op, right=right):
            return _computed(op, constant(left, name), constant(right, name))
        case ast.Attribute(value=ast.Name(id=module), attr=attribute):
            return _NAMED.get((module, attribute), UNKNOWN)
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str(text))]):
            return math.inf if text.strip().lower() in ("inf", "infinity", "+inf") else UNKNOWN
    return UNKNOWN


_MAY_BE_CONSTANT: Final = frozenset(
    (ast.Constant, ast.Name, ast.UnaryOp, ast.BinOp, ast.Attribute, ast.Call)
)
_SCALARS: Final = (bool, int, float, str)


def _signed(sign: ast.unaryop, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return UNKNOWN
    return -value if isinstance(sign, ast.USub) else value


def _computed(op: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str) and isinstance(op, ast.Add):
        return left + right if len(left) + len(right) <= _LONGEST else UNKNOWN
    if not _is_number(left) or not _is_number(right):
        return UNKNOWN
    try:
        if isinstance(op, ast.Pow):
            return _power(left, right)
        compute = _OPERATORS.get(type(op))
        return UNKNOWN if compute is None else compute(left, right)
    except ArithmeticError:  # a division by zero, or a float beyond all
        return UNKNOWN


def _power(base: float, exponent: float) -> Any:
    if abs(exponent) > _LARGEST_POWER or abs(base) > _LARGEST_POWER:
        return UNKNOWN
    power = base**exponent
    return UNKNOWN if isinstance(power, complex) else power


def _is_number(value: Any) -> bool:
    """Tell whether it is a number that can be computed with quickly."""
    if isinstance(value, bool):
        return False
    return isinstance(value, float) or (isinstance(value, int) and value.bit_length() < _MOST_BITS)
