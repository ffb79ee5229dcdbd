"""Names that are computed while the program runs: what they reach cannot be read."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.findings import Finding
    from doublevm.guard.program import Program

RULE: Final = "computed_names"

_NAMED_BY_SECOND: Final = frozenset(("getattr", "setattr", "delattr"))
_NAMESPACES: Final = frozenset(("globals", "locals", "vars"))


def computed_names(program: Program) -> Iterator[Finding]:
    """Yield every call that takes a name which the program does not write out."""
    survey = program.survey
    for call in survey.of(ast.Call):
        function = survey.builtin(call.func) or survey.origin(call.func)
        if function in _NAMESPACES:
            message = f"'{function}' gives names that the program does not write out"
            yield program.finding(RULE, call, message, "keep values by name in a dict")
        elif _is_computed(function, call):
            message = f"'{function}' takes a name that is computed"
            yield program.finding(RULE, call, message, "write the name out, or use a dict")


def _is_computed(function: str, call: ast.Call) -> bool:
    if function in _NAMED_BY_SECOND:
        return any(map(_is_not_text, call.args[1:2])) or any(map(_is_star, call.args[:2]))
    if function == "operator.methodcaller":
        return any(map(_is_not_text, call.args[:1]))
    return function == "operator.attrgetter" and any(map(_is_not_text, call.args))


def _is_not_text(node: ast.expr) -> bool:
    return not (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_star(node: ast.expr) -> bool:
    return isinstance(node, ast.Starred)
