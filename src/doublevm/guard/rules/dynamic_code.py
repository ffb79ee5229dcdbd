"""Code that is made while the program runs, which no reading of the program can know."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.findings import Finding
    from doublevm.guard.program import Program

RULE: Final = "dynamic_code"

_INSTEAD: Final = {
    "eval": "use ast.literal_eval for data, or write the expression out",
    "exec": "write the statements out, in a function if they differ by values",
    "compile": "write the code out",
    "__import__": "use an import statement",
}


def dynamic_code(program: Program) -> Iterator[Finding]:
    """Yield every use of ``eval`` and its like, called or handed on."""
    fine = set(_imports_by_name(program))
    for name in program.survey.of(ast.Name):
        builtin = program.survey.builtin(name)
        if builtin in _INSTEAD and name not in fine:
            message = f"'{builtin}' runs code that nobody has read"
            yield program.finding(RULE, name, message, _INSTEAD[builtin])


def _imports_by_name(program: Program) -> Iterator[ast.expr]:
    """Yield the ``__import__`` of calls that say what they import: another rule looks at these."""
    for call in program.survey.of(ast.Call):
        match call:
            case ast.Call(func=ast.Name(id="__import__"), args=[ast.Constant(value=str()), *_]):
                yield call.func
