"""Counts the iterations of a program's loops, where the host asks for a bound.

A call is written into the body of every loop and the conditions of every comprehension. The guest
could take it away: what it is good for is a program that was not meant to loop for so long. The
limit on time is what holds one that was.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT: Final = "__doublevm_count__"


class TooManyIterations(BaseException):
    """The loops of the program have run for more iterations than they may.

    No Exception, so that no handler for errors takes it for one; what catches it all the same meets
    it again with the next iteration.
    """


def count_iterations(tree: ast.Module) -> None:
    """Have every iteration of every loop in a program counted, lines as they were."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            node.body.insert(0, ast.copy_location(ast.Expr(_call(node)), node))
        elif isinstance(node, ast.comprehension):
            node.ifs.insert(0, _call(node.iter))


def _call(node: ast.stmt | ast.expr) -> ast.Call:
    name = ast.copy_location(ast.Name(COUNT, ast.Load()), node)
    return ast.copy_location(ast.Call(name, [], []), node)


def counter(most: int) -> Callable[[], bool]:
    """Return what is called for each iteration of a run: it is true, or raises.

    Raises:
        TooManyIterations: from the returned function, once it was called more than ``most`` times.
    """
    left = most

    def count() -> bool:
        nonlocal left
        left -= 1
        if left < 0:
            raise TooManyIterations(f"the loops of the program ran for more than {most:,} turns")
        return True

    return count
