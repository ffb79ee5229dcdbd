"""A program's syntax tree in one pass: how large it is, and its nodes by their type.

Every rule asks for the few types it is about, so that one walk serves all of them. Nothing here
recurses, for a program's depth is its author's choice.
"""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from doublevm.guard_options import MAX_FUNCTIONS
from doublevm.word_lists import words

if TYPE_CHECKING:
    from collections.abc import Iterator

A = TypeVar("A", bound=ast.AST)
B = TypeVar("B", bound=ast.AST)
C = TypeVar("C", bound=ast.AST)

# Fields that never hold a node with something below it.
_LEAVES: Final = words(
    """
    arg asname attr conversion ctx id is_async kind kwd_attrs level module name names op ops rest
    simple str type_comment
    """
)

_fields: Final[dict[type[ast.AST], tuple[str, ...]]] = {
    ast.Constant: (),
    ast.Import: ("names",),
    ast.ImportFrom: ("names",),
}

_BLOCKS: Final = ("body", "orelse", "finalbody", "handlers", "cases")
"""Fields with statements, or with what has such fields; a definition is nowhere else."""


class TooLargeError(Exception):
    """The tree is deeper, or has more nodes, than is read."""

    def __init__(self, rule: str, node: ast.AST) -> None:
        """``rule`` names the limit, or says "functions"; ``node`` is the first one beyond it."""
        super().__init__(rule)
        self.rule, self.node = rule, node


class Survey:
    """The nodes of a program."""

    def __init__(self, tree: ast.Module, max_nesting: int, max_nodes: int) -> None:
        """Walk the tree, level by level.

        Raises:
            TooLargeError: it is beyond one of the limits.
        """
        self.tree = tree
        self._by_type: dict[type[ast.AST], list[Any]] = {}
        self.nodes = self.depth = 0
        level: list[ast.AST] = [tree]
        while level:
            self.depth += 1
            self.nodes += len(level)
            if self.depth > max_nesting:
                raise TooLargeError("max_nesting", level[0])
            if self.nodes > max_nodes:
                raise TooLargeError("max_nodes", level[max_nodes - self.nodes])
            level = self._take(level)
        self._refuse_nested_functions()

    def _take(self, level: list[ast.AST]) -> list[ast.AST]:
        """File the nodes of one level; return those of the next."""
        by_type, below = self._by_type, []
        for node in level:
            kind = type(node)
            try:
                by_type[kind].append(node)
            except KeyError:
                by_type[kind] = [node]
            fields = _fields.get(kind)
            for name in _child_fields(kind) if fields is None else fields:
                value = getattr(node, name, None)
                if type(value) is list:
                    below += [item for item in value if isinstance(item, ast.AST)]
                elif isinstance(value, ast.AST):
                    below.append(value)
        return below

    def _refuse_nested_functions(self) -> None:
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        if sum(len(self._by_type.get(kind, ())) for kind in functions) <= MAX_FUNCTIONS:
            return
        todo: list[tuple[ast.AST, int]] = [(self.tree, 0)]
        while todo:
            node, depth = todo.pop()
            depth += isinstance(node, functions)
            if depth > MAX_FUNCTIONS:
                raise TooLargeError("functions", node)
            for name in _BLOCKS:
                todo += [(child, depth) for child in getattr(node, name, ())]

    @overload
    def of(self, kind: type[A], /) -> Iterator[A]: ...
    @overload
    def of(self, kind: type[A], second: type[B], /) -> Iterator[A | B]: ...
    @overload
    def of(self, kind: type[A], second: type[B], third: type[C], /) -> Iterator[A | B | C]: ...

    def of(self, *kinds: type[ast.AST]) -> Iterator[Any]:
        """Yield the nodes of these types, each type's from the outside inwards."""
        for kind in kinds:
            yield from self._by_type.get(kind, ())

    def of_name(self, *kinds: str) -> Iterator[Any]:
        """Yield the nodes of types that not every version of Python has."""
        for kind, nodes in self._by_type.items():
            if kind.__name__ in kinds:
                yield from nodes

    @cached_property
    def bound(self) -> frozenset[str]:
        """Every name that the program binds, in whatever scope."""
        return frozenset(_bound(self))

    @cached_property
    def imported(self) -> dict[str, str]:
        """What imported names stand for: `np` is `numpy`, `sqrt` is `math.sqrt`."""
        found: dict[str, str] = {}
        for node in self.of(ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                found[alias.asname or root] = alias.name if alias.asname else root
        for statement in self.of(ast.ImportFrom):
            for alias in statement.names:
                found[alias.asname or alias.name] = f"{statement.module or ''}.{alias.name}"
        return found

    @cached_property
    def own(self) -> frozenset[str]:
        """Names that the program binds in another way than by importing."""
        return frozenset(_own(self))

    def builtin(self, node: ast.AST) -> str:
        """Return the name of the builtin that an expression may be, or nothing."""
        free = isinstance(node, ast.Name) and node.id not in self.bound
        return node.id if free and isinstance(node, ast.Name) else ""

    def origin(self, node: ast.AST) -> str:
        """Return the imported thing that an expression stands for: `math.sqrt`, or nothing."""
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.imported or node.id in self.own:
            return ""
        return ".".join((self.imported[node.id], *reversed(names)))


def _child_fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """Return the fields of a type that may hold nodes with something below them."""
    fields = _fields[kind] = tuple(name for name in kind._fields if name not in _LEAVES)
    return fields


def _own(survey: Survey) -> Iterator[str]:
    for name in survey.of(ast.Name):
        if not isinstance(name.ctx, ast.Load):
            yield name.id
    for argument in survey.of(ast.arg):
        yield argument.arg
    for node in survey.of(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef):
        yield node.name
    for caught in survey.of(ast.ExceptHandler, ast.MatchAs, ast.MatchStar):
        if caught.name:
            yield caught.name
    for mapping in survey.of(ast.MatchMapping):
        if mapping.rest:
            yield mapping.rest
    for statement in survey.of(ast.Global, ast.Nonlocal):
        yield from statement.names
    for parameter in survey.of_name("TypeVar", "ParamSpec", "TypeVarTuple"):
        yield parameter.name
    for alias in survey.of_name("TypeAlias"):
        yield alias.name.id


def _bound(survey: Survey) -> Iterator[str]:
    yield from survey.imported
    yield from survey.own
