"""What is known of a program's names at one point of it.

Branches are read one after the other, and then what either of them may have left is known. So that
this costs as much as what the branches have bound, and not as much as all names there are, a scope
keeps a log of its changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import ast


UNKNOWN: Final = object()
"""The value of what is not a constant."""


class Value(NamedTuple):
    """What a name stands for."""

    mask: int = 0
    """The calls whose results are in it: bit ``n`` for number ``n``."""
    constant: Any = UNKNOWN
    """Its value, where the text says it: None, a bool, a number or a text."""
    path: tuple[str, ...] | None = None
    """What it is another name for: ``f = users.list`` is another name for users, list."""
    function: Function | None = None
    """The function of the program that it is."""
    root: str | None = None
    """The name whose parts it gives: what is put into it is in there, too."""
    literal: ast.expr | None = None
    """The list or dict that it is, as long as nothing is put into it."""


NOTHING: Final = Value()


class Function:
    """A function or lambda of the program, and what was learnt of it."""

    __slots__ = ("callees", "calls", "first_bit", "looped", "node", "params", "read", "returns",
                 "scopes")  # fmt: skip

    def __init__(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scopes: tuple[Scope, ...]
    ) -> None:
        """Know nothing but its text; ``scopes`` are those around it."""
        self.node, self.scopes = node, scopes
        args = node.args
        self.params = [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
        self.params += [arg.arg for arg in (args.vararg, args.kwarg) if arg is not None]
        self.first_bit = 0
        """The bit of its first parameter; the others' follow."""
        self.read: bool | None = False
        """Whether its body was read; None while it is."""
        self.returns = 0
        self.calls: list[int] = []
        """The tool calls in its body, by number."""
        self.callees: list[Function] = []
        self.looped = False
        """Whether it is called in a loop."""


class Scope:
    """The names of the module, or of a function."""

    def __init__(self) -> None:
        """Begin without names."""
        self.names: dict[str, Value] = {}
        """What is known; to be read only."""
        self._logs: list[dict[str, Value | None]] = []
        self.outer: dict[str, Scope] = {}
        """Names that are ``global`` or ``nonlocal`` here, with the scopes they belong to."""

    def bind_outer(self, name: str, value: Value) -> None:
        """Let a name of an outer scope stand for something, or for what it was before."""
        outer = self.outer[name]
        outer.bind(name, _either([outer.names.get(name) or NOTHING, value]))

    def bind(self, name: str, value: Value) -> None:
        """Let a name stand for something from here on."""
        if self._logs:
            self._logs[-1].setdefault(name, self.names.get(name))
        self.names[name] = value

    def begin(self) -> None:
        """Begin a branch."""
        self._logs.append({})

    def take_back(self) -> dict[str, Value]:
        """End a branch and forget what it has bound; return that."""
        bound = {}
        for name, before in self._logs.pop().items():
            bound[name] = self.names[name]
            if before is None:
                del self.names[name]
            else:
                self.names[name] = before
        return bound

    def join(self, branches: list[dict[str, Value]]) -> bool:
        """Know what any of the branches may have left.

        A branch that does not bind a name leaves it as it was before. Return whether a name that
        was there before has got more calls.
        """
        grown = False
        for name in dict.fromkeys(name for branch in branches for name in branch):
            before = self.names.get(name)
            left = [branch.get(name, before) for branch in branches]
            value = _either([each for each in left if each is not None])
            grown = grown or (before is not None and bool(value.mask & ~before.mask))
            self.bind(name, value)
        return grown


def _either(values: list[Value]) -> Value:
    first, *others = values
    for other in others:
        if first is not other:
            first = Value(
                first.mask | other.mask,
                first.constant if _same(first.constant, other.constant) else UNKNOWN,
                first.path if first.path == other.path else None,
                first.function or other.function,
                first.root or other.root,
            )
    return first


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
