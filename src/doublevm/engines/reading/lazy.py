"""Checks of lazy iterators, which monty turns into lists at once.

Where the whole iterator is consumed on the spot nobody can tell. Where its consumer stops early
or works in between, one can if making the values has effects. Anywhere else the iterator is a
value, and a list in its place can be read twice, measured and indexed.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from doublevm.engines.monty_gaps import gap
from doublevm.engines.reading.callgraph import CHANGING_METHODS, has_effects
from doublevm.word_lists import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.engines.reading.scan import Checks, Scan

_LAZY_BUILTINS: Final = frozenset({"enumerate", "filter", "map", "reversed", "zip"})
_CONSUMERS: Final = words(
    """
    bytes dict frozenset list max min set sorted sum tuple asyncio.gather collections.Counter
    collections.defaultdict collections.deque functools.reduce math.fsum math.prod
    random.choices
    """
)
_CONSUMING_METHODS: Final = words(
    """
    difference extend extendleft fromkeys intersection isdisjoint issubset issuperset join
    symmetric_difference union update writerows
    """
)
_IN_BETWEEN: Final = _LAZY_BUILTINS | {"all", "any", "iter"}
_ENDLESS: Final = frozenset({"itertools.count", "itertools.cycle", "itertools.repeat"})


def _is_lazy(scan: Scan, node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return scan.builtin(node.func) in _LAZY_BUILTINS
    return isinstance(node, ast.GeneratorExp)


def _place(scan: Scan, *nodes: ast.AST) -> None:
    scan.placed.update(id(node) for node in nodes)


def _consumer(scan: Scan, node: ast.Call) -> Iterator[str]:
    """Judge the lazy iterators among a call's arguments."""
    lazy = [each for each in node.args if _is_lazy(scan, each)]
    if not lazy:
        return
    function = scan.function(node.func)
    if function in _CONSUMERS or _consumes(scan, node.func, function):
        _place(scan, *lazy)
    elif function == "next":
        _place(scan, *lazy)
        yield gap("lazy-next")
    elif function in _IN_BETWEEN or function.startswith("itertools."):
        _place(scan, *lazy)
        if any(_shows(scan, each) for each in lazy):
            yield gap("lazy-effects")


def _consumes(scan: Scan, function: ast.expr, known_as: str) -> bool:
    if not isinstance(function, ast.Attribute) or function.attr not in _CONSUMING_METHODS:
        return False
    return not known_as and function.attr not in scan.facts.methods


def _shows(scan: Scan, node: ast.AST) -> bool:
    """Tell whether making the values of a lazy iterator can be noticed."""
    if isinstance(node, ast.GeneratorExp):
        return has_effects(scan.graph, [node])
    if isinstance(node, ast.Call) and scan.builtin(node.func) in {"map", "filter"}:
        return bool(node.args) and _callback_shows(scan, node.args[0])
    return False


def _callback_shows(scan: Scan, node: ast.expr) -> bool:
    """Judge a callback as the call it stands for."""
    if isinstance(node, ast.Lambda):
        return has_effects(scan.graph, [node.body])
    if isinstance(node, ast.Constant):
        return False
    return has_effects(scan.graph, [ast.Call(func=node, args=[], keywords=[])])


def _for(scan: Scan, node: ast.For) -> Iterator[str]:
    """The body of a loop may change what the next value is made from."""
    if not _is_lazy(scan, node.iter):
        return
    _place(scan, node.iter)
    made = node.iter if isinstance(node.iter, ast.Call) else None
    if made is None or _reads_state(scan, made) or _changes(node.body, made.args):
        yield gap("lazy-effects")


def _reads_state(scan: Scan, node: ast.Call) -> bool:
    if scan.builtin(node.func) not in {"map", "filter"} or not node.args:
        return False
    return not (scan.builtin(node.args[0]) or isinstance(node.args[0], ast.Constant))


def _changes(body: list[ast.stmt], values: list[ast.expr]) -> bool:
    """Tell whether a loop grows or shrinks one of the lists it goes over."""
    names = {each.id for each in values if isinstance(each, ast.Name)}
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CHANGING_METHODS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in names
        for statement in body
        for node in ast.walk(statement)
    )


def _comprehension(scan: Scan, node: ast.comprehension) -> Iterator[str]:
    if _is_lazy(scan, node.iter):
        _place(scan, node.iter)
        if _shows(scan, node.iter):
            yield gap("lazy-effects")


def _star(scan: Scan, node: ast.Starred) -> Iterator[str]:
    _place(scan, node.value)
    yield from ()


def _assignment(scan: Scan, node: ast.Assign) -> Iterator[str]:
    """Taking an iterator apart consumes it."""
    if isinstance(node.targets[0], ast.Tuple | ast.List):
        _place(scan, node.value)
    yield from ()


def _augmented(scan: Scan, node: ast.AugAssign) -> Iterator[str]:
    if scan.facts.kind(node.target) == "list":
        _place(scan, node.value)
    yield from ()


def _membership(scan: Scan, node: ast.Compare) -> Iterator[str]:
    for operator, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(operator, ast.In | ast.NotIn) and _is_lazy(scan, right):
            _place(scan, right)
            if _shows(scan, right):
                yield gap("lazy-effects")


def _generator(scan: Scan, node: ast.GeneratorExp) -> Iterator[str]:
    if any(_is_endless(scan, each.iter) for each in node.generators):
        yield gap("lazy-endless")
    elif id(node) not in scan.placed:
        yield gap("lazy-value")


def _builtin(scan: Scan, node: ast.Call) -> Iterator[str]:
    name = scan.builtin(node.func)
    if name not in _LAZY_BUILTINS:
        return
    if name != "zip" and any(_is_endless(scan, each) for each in node.args):
        yield gap("lazy-endless")
    elif id(node) not in scan.placed:
        yield gap("lazy-value")


def _is_endless(scan: Scan, node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and scan.origin(node.func) in _ENDLESS


CHECKS: Checks = {
    ast.Call: (_consumer, _builtin),
    ast.GeneratorExp: (_generator,),
    ast.For: (_for,),
    ast.comprehension: (_comprehension,),
    ast.Starred: (_star,),
    ast.Assign: (_assignment,),
    ast.AugAssign: (_augmented,),
    ast.Compare: (_membership,),
}
