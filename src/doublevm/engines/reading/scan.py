"""The walk over a program that asks every check about every node."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from doublevm.engines.reading.callgraph import BUILTINS, CallGraph, call_graph
from doublevm.engines.reading.facts import Facts, read
from doublevm.engines.reading.steps import FUNCTIONS, Step, dotted, flatten


@dataclass(slots=True)
class Scan:
    """One walk: what is known of the program, and where the walk stands."""

    facts: Facts
    graph: CallGraph
    steps: list[Step]
    live: Counter[str] = field(default_factory=Counter)
    """Names bound by the functions around the current node."""
    scopes: list[ast.AST] = field(default_factory=list)
    called: set[int] = field(default_factory=set)
    """The functions of calls: seen before they are reached themselves."""
    placed: set[int] = field(default_factory=set)
    """Lazy iterators that stand where their laziness cannot be noticed."""

    @classmethod
    def of(cls, tree: ast.Module, tools: frozenset[str]) -> Scan:
        """Prepare a walk over a program."""
        steps = flatten(tree)
        facts = read(tree, tools, steps)
        return cls(facts, call_graph(facts, steps), steps)

    def is_own(self, name: str) -> bool:
        """Tell whether a name, here, is one that the program itself defines."""
        scope = self.scopes[-1] if self.scopes else self.facts.tree
        if self.live[name] or name in self.facts.bound.get(scope, ()):
            return True
        return name in self.facts.bound[self.facts.tree] and name not in self.facts.aliases

    def origin(self, node: ast.AST) -> str:
        """Name the imported thing an expression stands for: `math.sqrt`, or nothing."""
        path = dotted(node)
        return "" if not path or self._is_shadowed(path[0]) else self.graph.origin(path)

    def _is_shadowed(self, name: str) -> bool:
        return bool(self.live[name])

    def builtin(self, node: ast.AST) -> str:
        """Name the builtin an expression stands for, or nothing."""
        if not isinstance(node, ast.Name) or self.is_own(node.id):
            return ""
        foreign = node.id in self.facts.aliases or node.id in self.facts.tools
        return "" if foreign or node.id not in BUILTINS else node.id

    def function(self, node: ast.AST) -> str:
        """Name the builtin or imported function an expression stands for, or nothing."""
        return self.builtin(node) or self.origin(node)


class Found(NamedTuple):
    """What a check found, where that is not the line of the node it looked at."""

    what: str
    line: int


Check = Callable[[Scan, Any], "Iterator[str | Found]"]
"""Yields what is lacking at one node."""
Checks = Mapping[type[ast.AST], Iterable[Check]]


def walk(scan: Scan, checks: Checks) -> Iterator[tuple[str, int]]:
    """Yield what every check finds, with the line, in the order of the text."""
    line = 1
    for node, _, _, leaves in scan.steps:
        if leaves:
            _leave(scan, node)
            continue
        line = getattr(node, "lineno", line)
        if isinstance(node, ast.Call):
            scan.called.add(id(node.func))
        for check in checks.get(type(node), ()):
            for found in check(scan, node):
                yield found if isinstance(found, Found) else (found, line)
        if node in scan.facts.bound:
            _enter(scan, node)


def _enter(scan: Scan, node: ast.AST) -> None:
    """Make the names of a function visible; those of a class are visible in its body only."""
    scan.scopes.append(node)
    if isinstance(node, FUNCTIONS):
        scan.live.update(scan.facts.bound[node])


def _leave(scan: Scan, node: ast.AST) -> None:
    scan.scopes.pop()
    if isinstance(node, FUNCTIONS):
        scan.live.subtract(scan.facts.bound[node])
