"""Follows what tools return through calls: of tools, of the program's functions, of all others."""

from __future__ import annotations

import ast
from abc import abstractmethod
from typing import TYPE_CHECKING, Final, cast

from doublevm.guard.scoring.arguments import leaves, named
from doublevm.guard.scoring.knowledge import Knowledge
from doublevm.guard.scoring.names import Function, Scope, Value
from doublevm.guest_names import CALL_TOOL

if TYPE_CHECKING:
    from collections.abc import Sequence

MUTATORS: Final = frozenset(
    ("add", "append", "appendleft", "extend", "extendleft", "insert", "put", "put_nowait",
     "setdefault", "update", "write", "writelines", "writerow", "writerows")
)  # fmt: skip
"""Methods that put their arguments into their object."""

DEEPEST: Final = 20
"""How many functions are read within one another; beyond, what is given to one is what it returns,
and its body is read later."""

Given = tuple[str | None, int]
"""The name of an argument, if it is given by name, and which calls' results are in it."""


class Calls(Knowledge):
    """Reads calls."""

    def call(self, node: ast.Call) -> int:
        """Read a call; return which calls' results are in what it returns."""
        func = node.func
        path = self.path_of(func)
        if path == (CALL_TOOL,):
            return self._call_tool(node)
        if path in self.tools.by_path:
            return self._tool(node, self.tools.by_path[path].name)
        if path is None and not isinstance(func, ast.Name | ast.Attribute):
            computed = self.computed_path(func)
            if computed is not None and computed[0] in self.tools.prefixes:
                return self._tool(node, "")
        function = self._function(func)
        if function is not None:
            return self._own(node, function)
        return self._other(node)

    # --- tools --------------------------------------------------------------------------------

    def _tool(self, node: ast.Call, name: str) -> int:
        given = named(node, self.tools.parameters(name), self.lookup)
        return self._note(node, name, given, self._arguments(node)[0])

    def _call_tool(self, node: ast.Call) -> int:
        """Read ``call_tool("users:list", {"limit": 10}, limit=10)``."""
        mask = self._arguments(node)[0]
        name = self.constant(node.args[0]) if node.args else None
        rest = ast.Call(node.func, [], node.keywords)
        given = named(rest, (), self.lookup)
        if len(node.args) > 1:
            given = [*named(_by_name(node.args[1]), (), self.lookup), *given]
        return self._note(node, name if isinstance(name, str) else "", given, mask)

    def _note(
        self,
        node: ast.expr,
        name: str,
        given: Sequence[tuple[str, ast.expr]],
        mask: int,
        *,
        looped: bool = False,
    ) -> int:
        inside = leaves(given, self.lookup)
        entry = self.ledger.call(name, node, mask, inside, looped=looped or self.loops > 0)
        if self.function is not None and entry.number not in self.function.calls:
            self.function.calls.append(entry.number)
        # What a tool makes of its arguments, a summary say, is still of where they come from.
        return mask | 1 << entry.bit

    # --- functions of the program -------------------------------------------------------------

    def _function(self, func: ast.expr) -> Function | None:
        if isinstance(func, ast.Name):
            value = self.lookup(func.id)
            return None if value is None else value.function
        if isinstance(func, ast.Attribute):
            return self.methods.get(func.attr)
        return self.define(func) if isinstance(func, ast.Lambda) else None

    def _own(self, node: ast.Call, function: Function) -> int:
        given: list[Given] = []
        if isinstance(node.func, ast.Attribute):
            given.append((None, self.mask(node.func.value)))  # what will be ``self``
        everything, masks = self._arguments(node)
        return self.apply(function, [*given, *masks], everything)

    def apply(self, function: Function, given: Sequence[Given], everything: int) -> int:
        """Call a function of the program; return which calls' results are in what it returns."""
        if self.function is not None and function not in self.function.callees:
            self.function.callees.append(function)
        function.looped = function.looped or self.loops > 0
        self.read_body(function)
        passed = _by_parameter(function, given)
        for place, mask in enumerate(passed):
            self.ledger.passed(function.first_bit + place, mask)
        if function.read is not True:  # it calls itself, or will be read later
            return everything
        own = (1 << len(passed)) - 1 << function.first_bit
        result = function.returns & ~own
        for place, mask in enumerate(passed):
            if function.returns >> function.first_bit + place & 1:
                result |= mask
        return result

    def read_body(self, function: Function) -> None:
        """Read a function's body, unless it has been, or is being read."""
        if function.read is not False or self.depth == DEEPEST:
            return
        function.read = None
        self.depth += 1
        before = self.scopes, self.loops, self.function
        self.scopes, self.loops, self.function = [*function.scopes, Scope()], 0, function
        for place, name in enumerate(function.params):
            self.bind(name, Value(1 << function.first_bit + place))
        self.body(function)
        self.scopes, self.loops, self.function = before
        function.read = True
        self.depth -= 1

    @abstractmethod
    def body(self, function: Function) -> None:
        """Read what is in a function."""

    # --- all others ---------------------------------------------------------------------------

    def _other(self, node: ast.Call) -> int:
        """Read a call of which only this is known: it may return what it was given."""
        func = node.func
        mask = 0
        if isinstance(func, ast.Attribute):
            mask = self.mask(func.value)
            if func.attr == "get" and mask and node.args:
                self.field(node.args[0], node, mask)
        elif not isinstance(func, ast.Name):
            mask = self.mask(func)
        given = self._arguments(node)[0]
        if isinstance(func, ast.Attribute) and func.attr in MUTATORS:
            self.put_into(func.value, given)
        return mask | given

    def field(self, key: ast.expr, node: ast.expr, mask: int) -> None:
        """Note that something is looked up by a key, if that is a name in the text."""
        name = self.constant(key)
        if isinstance(name, str):
            self.ledger.field(name, node, mask)

    def _arguments(self, node: ast.Call) -> tuple[int, list[Given]]:
        """Read a call's arguments; return what is in all of them, and in each."""
        given: list[Given] = []
        passed: list[ast.expr] = []
        everything = 0
        for name, value in _each(node):
            kind, mask = type(value), 0
            if kind is ast.Name:
                known = self.lookup(cast("ast.Name", value).id)
                mask = 0 if known is None else known.mask
                if known is None or known.path is not None or known.function is not None:
                    passed.append(value)
            elif kind is ast.Lambda:
                passed.append(value)
            else:
                mask = self.mask(value)
                if kind is ast.Attribute:
                    passed.append(value)
            given.append((name, mask))
            everything |= mask
        for value in passed:
            everything |= self._passed(value, everything)
        return everything, given

    def _passed(self, node: ast.expr, others: int) -> int:
        """Read a function that is passed on: it may be called, again and again, with the others.

        So ``map(send, rows)``, ``sorted(rows, key=f)`` and ``pool.map(users.get, ids)`` call.
        """
        path = self.path_of(node)
        if path == (CALL_TOOL,):
            return self._note(node, "", [], others, looped=True)
        if path in self.tools.by_path:
            return self._note(node, self.tools.by_path[path].name, [], others, looped=True)
        function = None if isinstance(node, ast.Attribute) else self._function(node)
        if function is None:
            return 0
        self.loops += 1
        result = self.apply(function, [("*", others)], others)
        self.loops -= 1
        return result


def _each(node: ast.Call) -> list[tuple[str | None, ast.expr]]:
    """Return the arguments of a call; ``*`` is the name of what may be any of them."""
    given: list[tuple[str | None, ast.expr]] = [
        ("*" if type(value) is ast.Starred else None, value) for value in node.args
    ]
    if node.keywords:
        given += [(keyword.arg or "*", keyword.value) for keyword in node.keywords]
    return given


def _by_parameter(function: Function, given: Sequence[Given]) -> list[int]:
    """Return what is passed for each parameter."""
    passed = [0] * len(function.params)
    place = 0
    for name, mask in given:
        if not mask:
            place += name is None
        elif name in function.params:
            passed[function.params.index(name)] |= mask
        elif name is None and place < len(passed):
            passed[place] |= mask
            place += 1
        else:  # it may be any, or is one of ``*args`` or ``**kwargs``
            passed = [before | mask for before in passed]
    return passed


def _by_name(given: ast.expr) -> ast.Call:
    """Return a call whose arguments are the items of a dict."""
    return ast.Call(given, [], [ast.keyword(None, given)])
