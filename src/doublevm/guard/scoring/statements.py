"""Follows what tools return through a program's statements, in the order in which they run."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final, cast

from doublevm.guard.scoring.expressions import Expressions
from doublevm.guard.scoring.names import NOTHING, Scope, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doublevm.guard.scoring.knowledge import Tools
    from doublevm.guard.scoring.names import Function

MOST_AGAIN: Final = 3
"""How often a loop is read again. Each time a value gets one assignment further against the order
of the text; more than three such assignments are not how programs are written."""


class Reader(Expressions):
    """Reads a program."""

    def __init__(self, tools: Tools) -> None:
        """Know no names yet."""
        super().__init__(tools)
        self._read_again: dict[int, int] = {}
        """How often the loops have been, by the identity of their nodes."""

    def program(self, tree: ast.Module) -> None:
        """Read everything, functions that are never called last."""
        self.run(tree.body)
        for function in self.functions:  # which may get longer meanwhile
            self.read_body(function)

    def run(self, statements: Sequence[ast.stmt]) -> None:
        """Read statements in their order."""
        for statement in statements:
            _RUN.get(type(statement), _parts)(self, statement)

    def body(self, function: Function) -> None:
        """Read what is in a function."""
        node = function.node
        if isinstance(node, ast.Lambda):
            function.returns |= self.mask(node.body)
        else:
            self.run(node.body)

    def branches(self, bodies: Sequence[Callable[[], None]]) -> None:
        """Read what may each happen instead of the others."""
        scope = self.scopes[-1]
        left = []
        for body in bodies:
            scope.begin()
            body()
            left.append(scope.take_back())
        scope.join(left)

    def loop(self, node: ast.stmt, begin: Callable[[], None], body: Sequence[ast.stmt]) -> None:
        """Read what may happen again and again, or not at all.

        It is read again if what it leaves could matter to its beginning, so often altogether: were
        it so often each time, every loop inside would multiply the work.
        """
        scope = self.scopes[-1]
        self.loops += 1
        while True:
            scope.begin()
            begin()
            self.run(body)
            grown = scope.join([scope.take_back(), {}])
            again = self._read_again.get(id(node), 0)
            if not grown or again == MOST_AGAIN:
                break
            self._read_again[id(node)] = again + 1
        self.loops -= 1


def _parts(reader: Reader, node: ast.stmt) -> None:
    for part in ast.iter_child_nodes(node):
        reader.mask(cast("ast.expr", part))


def _assign(reader: Reader, node: ast.Assign) -> None:
    for target in node.targets:
        match target, node.value:
            case (ast.Tuple(elts=targets), ast.Tuple(elts=values)) if len(targets) == len(values):
                # All of them are read before the first is bound: ``a, b = b, a``.
                known = [reader.value_of(each) for each in values]
                for each, value in zip(targets, known, strict=True):
                    reader.assign(each, value)
            case _:
                reader.assign(target, reader.value_of(node.value))


def _annotated(reader: Reader, node: ast.AnnAssign) -> None:
    if node.value is not None:
        reader.assign(node.target, reader.value_of(node.value))


def _augmented(reader: Reader, node: ast.AugAssign) -> None:
    mask = reader.mask(node.value)
    if isinstance(node.target, ast.Name):
        before = reader.lookup(node.target.id) or NOTHING
        reader.bind(node.target.id, Value(before.mask | mask, root=before.root))
    else:
        reader.assign(node.target, Value(mask))


def _for(reader: Reader, node: ast.For | ast.AsyncFor) -> None:
    rows = reader.value_of(node.iter)
    item = Value(rows.mask, root=rows.root)
    reader.loop(node, lambda: reader.assign(node.target, item), node.body)
    reader.run(node.orelse)


def _while(reader: Reader, node: ast.While) -> None:
    reader.loop(node, lambda: _parts(reader, ast.Expr(node.test)), node.body)
    reader.run(node.orelse)


def _if(reader: Reader, node: ast.If) -> None:
    reader.mask(node.test)
    reader.branches([lambda: reader.run(node.body), lambda: reader.run(node.orelse)])


def _with(reader: Reader, node: ast.With | ast.AsyncWith) -> None:
    for item in node.items:
        value = reader.value_of(item.context_expr)
        if item.optional_vars is not None:
            reader.assign(item.optional_vars, value)
    reader.run(node.body)


def _try(reader: Reader, node: Any) -> None:
    reader.run(node.body)
    handlers = [lambda each=each: reader.run(each.body) for each in node.handlers]
    reader.branches([*handlers, lambda: reader.run(node.orelse)])
    reader.run(node.finalbody)


def _match(reader: Reader, node: ast.Match) -> None:
    subject = reader.value_of(node.subject)
    captured = Value(subject.mask, root=subject.root)

    def case(each: ast.match_case) -> None:
        for part in ast.walk(each.pattern):
            match part:
                case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                    reader.bind(name, captured)
                case ast.MatchMapping(rest=str(name)):
                    reader.bind(name, captured)
        if each.guard is not None:
            reader.mask(each.guard)
        reader.run(each.body)

    reader.branches([*(lambda each=each: case(each) for each in node.cases), lambda: None])


def _function(reader: Reader, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    for decorator in node.decorator_list:
        reader.mask(decorator)
    reader.bind(node.name, Value(function=reader.define(node)))


def _class(reader: Reader, node: ast.ClassDef) -> None:
    for part in (*node.decorator_list, *node.bases):
        reader.mask(part)
    outer = reader.scopes
    reader.scopes = [*outer, Scope()]
    reader.run(node.body)
    for name, value in reader.scopes[-1].names.items():
        if value.function is not None:
            reader.methods[name] = value.function
    reader.scopes = outer
    reader.bind(node.name, NOTHING)


def _import(reader: Reader, node: ast.Import | ast.ImportFrom) -> None:
    for alias in node.names:
        reader.bind(alias.asname or alias.name.partition(".")[0], NOTHING)


def _return(reader: Reader, node: ast.Return) -> None:
    mask = reader.mask(node.value) if node.value is not None else 0
    if reader.function is not None:
        reader.function.returns |= mask


def _outer(reader: Reader, node: ast.Global | ast.Nonlocal) -> None:
    *around, scope = reader.scopes
    for name in node.names:
        if isinstance(node, ast.Global):
            scope.outer[name] = reader.scopes[0]
        else:
            known = [each for each in around if name in each.names]
            scope.outer[name] = known[-1] if known else scope


_RUN: Final[dict[type[ast.AST], Callable[[Any, Any], None]]] = {
    ast.AnnAssign: _annotated,
    ast.Assign: _assign,
    ast.AsyncFor: _for,
    ast.AsyncFunctionDef: _function,
    ast.AsyncWith: _with,
    ast.AugAssign: _augmented,
    ast.ClassDef: _class,
    ast.Expr: lambda reader, node: reader.mask(node.value),
    ast.For: _for,
    ast.FunctionDef: _function,
    ast.Global: _outer,
    ast.If: _if,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.Match: _match,
    ast.Nonlocal: _outer,
    ast.Return: _return,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.While: _while,
    ast.With: _with,
}
"""What is not here, ``raise`` say, has expressions and nothing else."""
