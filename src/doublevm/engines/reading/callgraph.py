"""Which of a program's functions may call a tool, and which have effects.

Calls are followed by name only: a method by its name on whatever object. That errs towards
"may", which is the safe side for both questions.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from doublevm.engines.reading.steps import Owner, Step, dotted
from doublevm.word_lists import words

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from doublevm.engines.reading.facts import Facts

BUILTINS: Final = frozenset(dir(builtins))
_SLEEPS: Final = frozenset({"time.sleep", "asyncio.sleep", "asyncio.run", "asyncio.gather"})
_PURE_BUILTINS: Final = words(
    """
    abs all any bin bool bytes chr complex dict divmod enumerate filter float format frozenset
    getattr hasattr hash hex int isinstance len list map max min oct ord pow range repr reversed
    round set slice sorted str sum tuple type zip
    """
)
CHANGING_METHODS: Final = words(
    """
    add append appendleft clear difference_update discard extend extendleft insert
    intersection_update pop popitem popleft remove reverse rotate setdefault shuffle sort
    subtract symmetric_difference_update update write writeheader writerow writerows
    """
)
_PURE_MODULES: Final = words(
    """
    base64 binascii bisect collections copy dataclasses datetime decimal functools hashlib
    itertools json math posixpath re string statistics textwrap typing unicodedata
    """
)
_EFFECT_NODES: Final = (
    ast.Await,
    ast.Delete,
    ast.Global,
    ast.NamedExpr,
    ast.Nonlocal,
    ast.Raise,
    ast.Assert,
    ast.Yield,
    ast.YieldFrom,
)


@dataclass(slots=True)
class CallGraph:
    """Who calls whom, and what follows from it."""

    facts: Facts
    known: set[str]
    """Every name the program binds or imports itself."""
    callers: dict[Hashable, list[Hashable]] = field(default_factory=dict)
    suspending: set[Hashable] = field(default_factory=set)
    """Functions, and `f:` or `m:` names, that may call a tool or sleep."""
    effectful: set[Hashable] = field(default_factory=set)
    """Functions and names that may print, change something, raise or call a tool."""
    passed: bool = False
    """A tool is handed around as a value somewhere."""

    def is_tool(self, name: str) -> bool:
        """Tell whether a bare name can only be the host's."""
        if name in self.facts.bound[self.facts.tree]:
            return False
        return (
            name in self.facts.tools
            or name == "call_tool"
            or not (name in self.known or name in BUILTINS)
        )

    def is_tool_path(self, path: tuple[str, ...]) -> bool:
        """Tell whether `a` or `a.b` names a tool."""
        if not path:
            return False
        if len(path) == 1:
            return self.is_tool(path[0])
        root = path[0]
        return root not in self.known and (root in self.facts.namespaces or root not in BUILTINS)

    def origin(self, path: tuple[str, ...]) -> str:
        """Name the imported thing that a path stands for, or nothing."""
        if not path or path[0] not in self.facts.aliases:
            return ""
        return ".".join((self.facts.aliases[path[0]], *path[1:]))


def call_graph(facts: Facts, steps: list[Step]) -> CallGraph:
    """Build the graph of a program and follow it to its ends."""
    graph = CallGraph(facts, facts.everywhere())
    for family, functions in (("f", facts.functions), ("m", facts.methods)):
        for name, nodes in functions.items():
            for function in nodes:
                _link(graph, function, f"{family}:{name}")
    for name in facts.classes:
        _link(graph, "m:__init__", f"f:{name}")
    called: set[int] = set()
    for node, _, owner, leaves in steps:
        if not leaves:
            _note(graph, node, owner, called)
    _spread(graph, graph.suspending)
    graph.effectful |= graph.suspending
    _spread(graph, graph.effectful)
    return graph


def _link(graph: CallGraph, callee: Hashable, caller: Hashable) -> None:
    graph.callers.setdefault(callee, []).append(caller)


def _spread(graph: CallGraph, found: set[Hashable]) -> None:
    """Give a property of some functions to all that may call them."""
    waiting: list[Hashable] = list(found)
    while waiting:
        for caller in graph.callers.get(waiting.pop(), ()):
            if caller not in found:
                found.add(caller)
                waiting.append(caller)


def _note(graph: CallGraph, node: ast.AST, owner: Owner, called: set[int]) -> None:
    """Note what one node does to the function it stands in."""
    match node:
        case ast.Name():
            if id(node) not in called and isinstance(node.ctx, ast.Load):
                graph.passed |= graph.is_tool(node.id)
        case ast.Call():
            called.add(id(_root(node.func)))
            _note_call(graph, dotted(node.func), node.func, owner)
        case ast.Attribute() | ast.Subscript():
            if isinstance(node.ctx, ast.Store):
                graph.effectful.add(owner)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            _link(graph, node, owner)
        case _ if isinstance(node, _EFFECT_NODES):
            graph.effectful.add(owner)


def _note_call(graph: CallGraph, path: tuple[str, ...], function: ast.expr, owner: Owner) -> None:
    if graph.is_tool_path(path) or graph.origin(path) in _SLEEPS:
        graph.suspending.add(owner)
    elif graph.origin(path):
        if not _is_pure(graph.origin(path)):
            graph.effectful.add(owner)
    elif len(path) == 1:
        _link(graph, f"f:{path[0]}", owner)
        if path[0] in BUILTINS - _PURE_BUILTINS - graph.known:
            graph.effectful.add(owner)
    elif isinstance(function, ast.Attribute):
        _link(graph, f"m:{function.attr}", owner)
        if function.attr in CHANGING_METHODS:
            graph.effectful.add(owner)


def _root(function: ast.expr) -> ast.expr:
    """Find the name at the start of `a.b`."""
    for _ in range(3):
        if isinstance(function, ast.Attribute):
            function = function.value
    return function


def _is_pure(origin: str) -> bool:
    """Tell whether a function of a module only computes."""
    return origin.partition(".")[0] in _PURE_MODULES or origin.startswith("os.path.")


def has_effects(graph: CallGraph, nodes: Iterable[ast.AST]) -> bool:
    """Tell whether evaluating these expressions may do more than compute."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, _EFFECT_NODES):
            return True
        if isinstance(node, ast.Call) and _call_has_effects(graph, node):
            return True
        stack.extend(ast.iter_child_nodes(node))
    return False


def _call_has_effects(graph: CallGraph, node: ast.Call) -> bool:
    path = dotted(node.func)
    if graph.is_tool_path(path) or path == ("print",):
        return True
    if origin := graph.origin(path):
        return not _is_pure(origin)
    if len(path) == 1:
        name = path[0]
        if name in graph.known:
            return f"f:{name}" in graph.effectful or not _is_defined(graph, name)
        return name not in _PURE_BUILTINS
    if isinstance(node.func, ast.Attribute):
        return node.func.attr in CHANGING_METHODS or f"m:{node.func.attr}" in graph.effectful
    return True


def _is_defined(graph: CallGraph, name: str) -> bool:
    return name in graph.facts.functions or name in graph.facts.classes
