"""Calls of names that nothing defines: mistyped tools and functions.

Found here, they are found before the first tool has been called. Wherever a name might come from
somewhere that cannot be read, the rule is silent.
"""

from __future__ import annotations

import ast
import builtins
import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from doublevm.guard.findings import Finding
    from doublevm.guard.program import Program, Surroundings
    from doublevm.guard.survey import Survey

RULE: Final = "unknown_names"

KNOWN: Final = frozenset((*dir(builtins), "call_tool", "exit", "quit", "copyright", "credits"))
MAKE_NAMES: Final = frozenset(("exec", "eval", "globals", "locals", "vars", "__import__"))
"""Builtins through which names come into being that are written nowhere."""
_NAME_ERRORS: Final = frozenset(("NameError", "Exception", "BaseException"))


def unknown_names(program: Program) -> Iterator[Finding]:
    """Yield every call of a name that is not there."""
    survey, around = program.survey, program.around
    earlier = around.earlier
    if earlier is None or makes_names(survey):
        return
    own = survey.bound | around.inputs | earlier
    known = KNOWN | around.roots | own
    expected = set(_expected(survey))
    for call in survey.of(ast.Call):
        if call in expected:
            continue
        if isinstance(call.func, ast.Name) and call.func.id not in known:
            message = f"nothing defines '{call.func.id}'"
            advice = _advice(call.func.id, _callables(survey, around))
            yield program.finding(RULE, call.func, message, advice)
        elif name := _unknown_tool(call, own, around):
            message = f"there is no tool '{name}'"
            by_name = isinstance(call.func, ast.Name)
            tools = around.tools if by_name else map(_spelt, around.tools)
            yield program.finding(RULE, call.func, message, _advice(name, tools))


def makes_names(survey: Survey) -> bool:
    """Whether the program may bind names that it does not write out."""
    if any(alias.name == "*" for node in survey.of(ast.ImportFrom) for alias in node.names):
        return True
    suspects = MAKE_NAMES | {"__builtins__"}
    return any(name.id in suspects for name in survey.of(ast.Name)) or any(
        origin.partition(".")[0] in ("builtins", "__main__", "sys.modules")
        for origin in survey.imported.values()
    )


def _unknown_tool(call: ast.Call, own: frozenset[str], around: Surroundings) -> str:
    """Return the name by which a call asks for a tool that is not there, or nothing."""
    match call:
        case ast.Call(func=ast.Name(id="call_tool"), args=[ast.Constant(value=str(name)), *_]):
            is_known = around.catch_all or name in around.tools or "call_tool" in own
            return "" if is_known else name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=space), attr=attribute)):
            if space in around.roots and space not in own:
                return _not_in_namespace(space, attribute, around)
    return ""


def _not_in_namespace(space: str, attribute: str, around: Surroundings) -> str:
    """Return ``space.attribute`` if there are tools in that namespace, and not this one."""
    spelt = set(map(_spelt, around.tools))
    path = f"{space}.{attribute}"
    if space in spelt:  # a tool of that very name has attributes as every function has
        return ""
    return "" if any(f"{name}.".startswith(f"{path}.") for name in spelt) else path


def _spelt(tool: str) -> str:
    """Return a tool's name as it is called."""
    return tool.replace(":", ".")


def _expected(survey: Survey) -> Iterator[ast.AST]:
    """Yield what stands in a ``try`` that is ready for a name that is not there."""
    for block in survey.of(ast.Try):
        caught = [each for handler in block.handlers for each in _types(handler)]
        if any(getattr(each, "id", "Exception") in _NAME_ERRORS for each in caught):
            for statement in block.body:
                yield from ast.walk(statement)


def _types(handler: ast.ExceptHandler) -> list[ast.expr | None]:
    return [*handler.type.elts] if isinstance(handler.type, ast.Tuple) else [handler.type]


def _callables(survey: Survey, around: Surroundings) -> Iterator[str]:
    yield from around.tools
    yield from survey.bound
    yield from (name for name in KNOWN if not name.startswith("_"))


def _advice(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean {near[0]}?" if near else "define it, or call one of the tools"
