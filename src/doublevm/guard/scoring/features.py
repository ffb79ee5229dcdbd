"""What a program does with tools, read from its syntax tree in one pass.

The reader follows what tools return through names, attributes, containers, branches, loops,
comprehensions, and the program's functions: what they are passed and what they return. It takes
time in proportion to the program's length and to how deep its loops are nested.

What it does not follow: what a function changes in an object it is passed, attributes of ``self``
from one method to another, and what decides whether a branch is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from doublevm.guard.scoring.knowledge import Tools
from doublevm.guard.scoring.ledger import TooMuchError
from doublevm.guard.scoring.statements import Reader
from doublevm.score import Features, cut

if TYPE_CHECKING:
    import ast

    from doublevm.score import Argument

__all__ = ["TooMuchError", "Tools", "features", "sendable"]

LONGEST_TOLD: Final = 200
"""Characters of a name or a text that a scorer is told; the rules have seen all of it."""


def features(source: str, tree: ast.Module, tools: Tools) -> Features:
    """Return a program's features.

    Raises:
        TooMuchError: it has more of something than is looked at.
        RecursionError: it is nested more deeply than can be read.
    """
    reader = Reader(tools)
    reader.program(tree)
    return reader.ledger.features(reader.functions, source.split("\n"))


def sendable(found: Features) -> Features:
    """Return features whose names and texts can be sent, as long as a scorer is told them."""
    calls = tuple(
        replace(call, tool=_told(call.tool), arguments=tuple(map(_argument, call.arguments)))
        for call in found.calls
    )
    fields = tuple(replace(field, name=_told(field.name)) for field in found.fields)
    return Features(calls, fields)


def _argument(argument: Argument) -> Argument:
    value = argument.value
    told = _told(value) if isinstance(value, str) else value
    return replace(argument, name=_told(argument.name), value=told)


def _told(text: str) -> str:
    return cut(text[:LONGEST_TOLD])
