"""Loops that nothing in them ends: they run until the time is up.

A loop that can be left is not looked at any further; whether it is left is what the limit on time
and ``max_iterations`` are for.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.findings import Finding
    from doublevm.guard.program import Program
    from doublevm.guard.survey import Survey

RULE: Final = "unbounded_loops"

_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_LOOPS: Final = (ast.While, ast.For, ast.AsyncFor)
_LEAVING: Final = (ast.Return, ast.Raise, ast.Yield, ast.YieldFrom)
"""What leaves a loop from anywhere in it; a generator's caller decides whether it goes on."""
_EXITS: Final = frozenset(("exit", "quit", "sys.exit"))
_ENDLESS: Final = frozenset(("itertools.count", "itertools.cycle"))


def unbounded_loops(program: Program) -> Iterator[Finding]:
    """Yield every loop that only an end from outside can end."""
    survey = program.survey
    rescued = set(_rescued(survey))
    for loop in survey.of(ast.While, ast.For):
        assert isinstance(loop, ast.While | ast.For)
        if loop not in rescued and _is_endless(loop, survey) and not _can_be_left(loop, survey):
            advice = "end it with break or return, or loop over range(...)"
            yield program.finding(RULE, loop, "nothing in this loop ends it", advice)


def _is_endless(loop: ast.AST, survey: Survey) -> bool:
    match loop:
        case ast.While(test=ast.Constant(value=value)):
            return bool(value)
        case ast.For(iter=ast.Call(func=function, args=args)):
            origin = survey.origin(function)
            return origin in _ENDLESS or (origin == "itertools.repeat" and len(args) == 1)
    return False


def _can_be_left(loop: ast.While | ast.For, survey: Survey) -> bool:
    """Whether something in a loop leaves it; functions and loops within have their own ends."""
    todo: list[tuple[ast.AST, bool]] = [(statement, False) for statement in loop.body]
    while todo:
        node, is_inner = todo.pop()
        if isinstance(node, _LEAVING) or (isinstance(node, ast.Break) and not is_inner):
            return True
        if isinstance(node, ast.Call) and _ends_program(node, survey):
            return True
        if isinstance(node, _LOOPS):  # a break in its ``else`` is one of the loop around it
            todo += [(statement, True) for statement in node.body]
            todo += [(statement, is_inner) for statement in node.orelse]
        elif not isinstance(node, _SCOPES):
            todo += [(child, is_inner) for child in ast.iter_child_nodes(node)]
    return False


def _ends_program(call: ast.Call, survey: Survey) -> bool:
    return (survey.builtin(call.func) or survey.origin(call.func)) in _EXITS


def _rescued(survey: Survey) -> Iterator[ast.AST]:
    """Yield what stands in a ``try`` whose handlers may end it: an iterator that runs dry, say."""
    todo: list[ast.AST] = [
        statement for block in survey.of(ast.Try) if block.handlers for statement in block.body
    ]
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, _SCOPES):
            todo += ast.iter_child_nodes(node)
