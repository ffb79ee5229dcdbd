"""What is known at one point of a program, and how it is learnt: the base of its reader."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, cast

from doublevm.guard.scoring.constants import constant
from doublevm.guard.scoring.ledger import Ledger
from doublevm.guard.scoring.names import NOTHING, UNKNOWN, Function, Scope, Value
from doublevm.guest_names import guest_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from doublevm.operation import Parameter, ToolSpec

Path = tuple[str, ...]

_COMPUTES: Final = (ast.Call, ast.Subscript)

_HOPS: Final = 4
"""How far a name is followed to the one whose part it is."""


class Tools:
    """The tools, as a program names them."""

    def __init__(self, specs: Iterable[ToolSpec]) -> None:
        """Know their paths."""
        self.by_name: dict[str, ToolSpec] = {}
        self.by_path: dict[Path, ToolSpec] = {}
        self.prefixes: set[Path] = {()}
        """Of what namespaces tools are in, and where a name made up at run time may lead."""
        for spec in specs:
            path = guest_path(spec.name)
            self.by_name[spec.name] = spec
            if path is not None:
                self.by_path[path] = spec
                self.prefixes |= {path[:length] for length in range(1, len(path))}

    def parameters(self, name: str) -> Sequence[Parameter]:
        """Return those of a tool; none for one that is not known."""
        spec = self.by_name.get(name)
        return spec.parameters if spec is not None else ()


class Knowledge(ABC):
    """What names stand for, and what was come upon so far."""

    def __init__(self, tools: Tools) -> None:
        """Know no names yet."""
        self.tools, self.ledger = tools, Ledger()
        self.scopes = [Scope()]
        self.loops = 0
        """How many loops of the current function are around."""
        self.function: Function | None = None
        """The one whose body is being read."""
        self.functions: list[Function] = []
        self._defined: dict[int, Function] = {}
        """By the identity of their nodes."""
        self.depth = 0
        """How many functions' bodies are being read."""
        self.methods: dict[str, Function] = {}
        """Functions in classes, by name: which object has which is not known."""

    @abstractmethod
    def mask(self, node: ast.expr) -> int:
        """Read an expression; return which calls' results are in its value, as a mask."""

    def lookup(self, name: str) -> Value | None:
        """Return what is known of a name here."""
        for scope in reversed(self.scopes):
            if name in scope.names:
                return scope.names[name]
        return None

    def bind(self, name: str, value: Value) -> None:
        """Let a name stand for something."""
        scope = self.scopes[-1]
        if name in scope.outer:
            scope.bind_outer(name, value)
        else:
            scope.bind(name, value)

    def path_of(self, node: ast.expr) -> Path | None:
        """Return the names by which an expression reaches what the program has not made itself.

        For ``users.list`` they are users, list; also through ``u = users``,
        ``getattr(users, "list")`` and ``globals()``.
        """
        # No match statement: this is asked of every call.
        kind = type(node)
        if kind is ast.Name:
            name = cast("ast.Name", node).id
            value = self.lookup(name)
            return (name,) if value is None else value.path
        if kind is ast.Attribute:
            attribute = cast("ast.Attribute", node)
            path = self.path_of(attribute.value)
            return None if path is None else (*path, attribute.attr)
        computed = self.computed_path(node) if kind in _COMPUTES else None
        if computed is not None and isinstance(computed[1], ast.Constant):
            return (*computed[0], str(computed[1].value))
        return None

    def computed_path(self, node: ast.expr) -> tuple[Path, ast.expr] | None:
        """Return where a computed name is looked up, and the name, if ``node`` looks one up."""
        match node:
            case ast.Call(func=ast.Name(id="getattr"), args=[where, name, *_]):
                path = self.path_of(where)
                return None if path is None else (path, name)
            case ast.Subscript(value=ast.Call(func=ast.Name(id="globals")), slice=name):
                return (), name
        return None

    def put_into(self, node: ast.expr, mask: int) -> None:
        """Note that something is put into an object, and so into what it is a part of."""
        name = root_of(node)
        for _ in range(_HOPS):
            value = self.lookup(name) if name is not None else None
            if name is None or value is None:
                return
            changed = value._replace(mask=value.mask | mask, constant=UNKNOWN, literal=None)
            scope = next(s for s in reversed(self.scopes) if name in s.names)
            scope.bind(name, changed)
            name = value.root

    def value_of(self, node: ast.expr) -> Value:
        """Read an expression that is bound to a name; return all that is known of it."""
        if type(node) is ast.Constant:
            return Value(constant=self.constant(node))
        match node:
            case ast.Name(id=name):
                known = self.lookup(name)
                return Value(path=(name,)) if known is None else known._replace(root=name)
            case ast.Lambda():
                return Value(function=self.define(node))
            case ast.List() | ast.Tuple() | ast.Set() | ast.Dict():
                return Value(self.mask(node), literal=node)
            case ast.Attribute() | ast.Subscript() | ast.Call():
                return Value(self.mask(node), self.constant(node), self.path_of(node),
                             root=root_of(node))  # fmt: skip
        return Value(self.mask(node), self.constant(node))

    def constant(self, node: ast.expr) -> Any:
        """Return the expression's value, or UNKNOWN."""
        return constant(node, self._constant_of)

    def _constant_of(self, name: str) -> Any:
        return (self.lookup(name) or NOTHING).constant

    def define(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Function:
        """Learn of a function; its body is read when it is called, or at the end."""
        if id(node) in self._defined:  # in a loop that is read again
            return self._defined[id(node)]
        function = self._defined[id(node)] = Function(node, tuple(self.scopes))
        self.ledger.parameters(function)
        self.functions.append(function)
        defaults = [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
        given = 0
        for default in defaults:
            given |= self.mask(default)
        for place in range(len(function.params)):
            self.ledger.passed(function.first_bit + place, given)
        return function


def root_of(node: ast.expr) -> str | None:
    """Return the name that an expression gives a part of: ``rows`` of ``rows[0].get("x")``."""
    while True:
        match node:
            case ast.Name(id=name):
                return name
            case ast.Attribute(value=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.Call(func=ast.Attribute(value=inner)):
                node = inner
            case _:
                return None
