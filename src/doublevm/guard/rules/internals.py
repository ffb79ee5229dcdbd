"""Attributes that lead into the interpreter: from a value to classes, frames, code and globals.

No task needs them, and every known escape from a restricted Python begins with one.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from doublevm.word_lists import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.findings import Finding
    from doublevm.guard.program import Program

RULE: Final = "internals"

CLASSES: Final = words("__base__ __bases__ __mro__ __subclasses__")
FRAMES: Final = words(
    """
    ag_frame cr_frame cr_origin f_back f_builtins f_code f_globals f_locals f_trace gi_frame
    tb_frame
    """
)
CODE: Final = words("__closure__ __code__ ag_code cr_code gi_code")
NAMESPACES: Final = words("__builtins__ __globals__ __loader__ __spec__")
OBJECTS: Final = words("__getattribute__ __reduce__ __reduce_ex__ __self__")

_LEADS_TO: Final = {
    **dict.fromkeys(CLASSES, "the classes of the interpreter"),
    **dict.fromkeys(FRAMES, "the interpreter's frames"),
    **dict.fromkeys(CODE, "compiled code"),
    **dict.fromkeys(NAMESPACES, "the namespace of a module"),
    **dict.fromkeys(OBJECTS, "the inside of an object"),
}

_INSTEAD: Final = {
    "__self__": "keep the object in a variable of its own",
    "__getattribute__": "use getattr(object, 'name') or object.name",
    "__mro__": "use isinstance() or issubclass() to ask about classes",
    "__bases__": "use isinstance() or issubclass() to ask about classes",
    "__subclasses__": "keep the classes of your program in a list of its own",
    "tb_frame": "use traceback.format_exc(), or the exception's message",
}

_GETTERS: Final = frozenset(("getattr", "hasattr", "setattr", "delattr"))
_FIELD: Final = re.compile(r"\{[^{}]*[.\[](\w+)")
"""A field of ``str.format`` that takes an attribute or an item."""


def internals(program: Program) -> Iterator[Finding]:
    """Yield every such attribute: written out, named to ``getattr``, or in a format."""
    survey = program.survey
    for attribute in survey.of(ast.Attribute):
        if attribute.attr in _LEADS_TO and not _is_of_super(attribute):
            yield _finding(program, attribute, attribute.attr)
    for name in survey.of(ast.Name):
        if name.id in NAMESPACES and name.id not in survey.bound:
            yield _finding(program, name, name.id)
    for call in survey.of(ast.Call):
        yield from _named(program, call)
    for text in survey.of(ast.Constant):
        if isinstance(text.value, str) and "{" in text.value:
            for field in _FIELD.findall(text.value):
                if field in _LEADS_TO:
                    yield _finding(program, text, field)


def _named(program: Program, call: ast.Call) -> Iterator[Finding]:
    """Yield what a call of ``getattr`` names."""
    if program.survey.builtin(call.func) not in _GETTERS:
        return
    match call.args:
        case [_, ast.Constant(value=str(name)), *_] if name in _LEADS_TO:
            yield _finding(program, call.args[1], name)


def _is_of_super(attribute: ast.Attribute) -> bool:
    """Whether it is a class's own version of a method calling the one it replaces."""
    match attribute.value:
        case ast.Call(func=ast.Name(id="super")):
            return attribute.attr in OBJECTS
    return False


def _finding(program: Program, node: ast.AST, name: str) -> Finding:
    advice = _INSTEAD.get(name, "work with the values themselves, or ask the host for a tool")
    return program.finding(RULE, node, f"'{name}' leads to {_LEADS_TO[name]}", advice)
