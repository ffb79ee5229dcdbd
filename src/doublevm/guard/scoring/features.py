"""What a program does with tools, read from its syntax tree in one pass.

The reader follows what tools return through names, attributes, containers, branches, loops,
comprehensions, and the program's functions: what they are passed and what they return. It takes
time in proportion to the program's length and to how deep its loops are nested.

What it does not follow: what a function changes in an object it is passed, attributes of ``self``
from one method to another, and what decides whether a branch is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doublevm.guard.scoring.knowledge import Tools
from doublevm.guard.scoring.ledger import TooMuchError
from doublevm.guard.scoring.statements import Reader

if TYPE_CHECKING:
    import ast

    from doublevm.score import Features

__all__ = ["TooMuchError", "Tools", "features"]


def features(source: str, tree: ast.Module, tools: Tools) -> Features:
    """Return a program's features.

    Raises:
        TooMuchError: it has more of something than is looked at.
        RecursionError: it is nested more deeply than can be read.
    """
    reader = Reader(tools)
    reader.program(tree)
    return reader.ledger.features(reader.functions, source.split("\n"))
