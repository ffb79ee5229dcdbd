"""Which tool calls of a program are awaited: read from its syntax tree, before it runs.

In a guest a tool is an ordinary function: ``rows = fetch(1)`` gives the rows. The same tool may be
awaited, ``await fetch(1)`` or ``await asyncio.gather(*[fetch(i) for i in ids])``, and such calls
run concurrently. Only the place of the call tells the two apart, so this module finds the places:
calls whose result flows into an ``await`` or into one of asyncio's functions, followed through
names, lists, comprehensions and ``append`` within a scope. Both engines use the same answer.

What it does not follow: values passed through attributes, containers of containers, or other
modules' functions. There a tool stays an ordinary function, and awaiting its result is an error.
"""

from __future__ import annotations

import ast
from typing import Final

Place = tuple[int, int]
"""Line (1-based) and column (0-based, in UTF-8 bytes) where the called expression starts."""

_TAKES_AWAITABLES: Final = frozenset(
    [
        "gather",
        "create_task",
        "ensure_future",
        "wait",
        "wait_for",
        "shield",
        "as_completed",
        "run",
        "run_until_complete",
    ]
)
_AWAITABLE_KEYWORDS: Final = frozenset(
    ["arg", "coro", "coro_or_future", "fs", "fut", "future", "main"]
)
"""Names of the parameters by which those take them; others are a timeout, a name, a flag."""
_PASSES_ON: Final = frozenset(
    ["list", "tuple", "set", "dict", "zip", "enumerate", "sorted", "reversed", "iter", "next"]
)
_ADDS: Final = frozenset(
    ["append", "add", "extend", "insert", "setdefault", "update", "appendleft", "put_nowait"]
)
_READS: Final = frozenset(["values", "items", "keys", "pop", "get", "copy", "popleft"])

_Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def awaited_calls(tree: ast.Module) -> frozenset[Place]:
    """Return the places of the calls that are awaited."""
    if not any(isinstance(node, ast.Await | ast.AsyncFor | ast.Call) for node in ast.walk(tree)):
        return frozenset()
    modules, functions = _asyncio_names(tree)
    if not modules and not functions and not _has_await(tree):
        return frozenset()
    finder = _Finder(tree, modules, functions)
    return frozenset(finder.places)


def _has_await(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Await) for node in ast.walk(tree))


def _asyncio_names(tree: ast.Module) -> tuple[set[str], dict[str, str]]:
    modules: set[str] = set()
    functions: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {a.asname or a.name for a in node.names if a.name == "asyncio"}
        elif isinstance(node, ast.ImportFrom) and node.module == "asyncio":
            taking = [a for a in node.names if a.name in _TAKES_AWAITABLES]
            functions |= {a.asname or a.name: a.name for a in taking}
    return modules, functions


class _Finder:
    """Follows awaited values back to the calls they come from, scope by scope."""

    def __init__(self, tree: ast.Module, modules: set[str], functions: dict[str, str]) -> None:
        self.places: set[Place] = set()
        self._modules, self._functions = modules, functions
        self._local = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        self._returns_followed: set[str] = set()
        self._globals: dict[str, list[ast.expr]] = {}
        self._globals = self._follow_scope(own_nodes(tree))
        for scope in ast.walk(tree):
            if isinstance(scope, _SCOPES):
                self._follow_scope(own_nodes(scope))

    def _follow_scope(self, nodes: list[ast.AST]) -> dict[str, list[ast.expr]]:
        sources = _sources(nodes)
        todo: list[ast.expr] = []
        for node in nodes:
            if isinstance(node, ast.Await):
                todo.append(node.value)
            elif isinstance(node, ast.Call) and self._takes_awaitables(node.func):
                todo += self._awaitables(node)
            elif isinstance(node, ast.AsyncFor):
                todo.append(node.iter)
        names: set[str] = set()
        while todo:
            found = self._follow(todo.pop(), todo)
            for name in found - names:
                names.add(name)
                todo += sources[name] if name in sources else self._globals.get(name, [])
        return sources

    def _takes_awaitables(self, callee: ast.expr) -> bool:
        if isinstance(callee, ast.Name):
            return callee.id in self._functions
        if not isinstance(callee, ast.Attribute) or callee.attr not in _TAKES_AWAITABLES:
            return False
        of_asyncio = isinstance(callee.value, ast.Name) and callee.value.id in self._modules
        return of_asyncio or callee.attr in ("create_task", "run_until_complete")

    def _awaitables(self, call: ast.Call) -> list[ast.expr]:
        """Return those arguments of an asyncio function that it awaits: gather's all, one else."""
        match call.func:
            case ast.Name(id=name):
                several = self._functions[name] == "gather"
            case ast.Attribute(attr=name):
                several = name == "gather"
            case _:
                several = False
        named = [k.value for k in call.keywords if k.arg in _AWAITABLE_KEYWORDS]
        return [*(call.args if several else call.args[:1]), *named]

    def _follow(self, node: ast.expr, todo: list[ast.expr]) -> set[str]:
        """Take one step back from an awaited expression; return the names it reads."""
        match node:
            case ast.Name(id=name):
                return {name}
            case ast.Call():
                return self._follow_call(node, todo)
            case ast.ListComp(elt=elt) | ast.SetComp(elt=elt) | ast.GeneratorExp(elt=elt):
                todo.append(elt)
            case ast.DictComp(value=value):
                todo.append(value)
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                todo += parts
            case ast.Dict(values=parts):
                todo += parts
            case ast.Starred(value=value) | ast.Subscript(value=value) | ast.NamedExpr(value=value):
                todo.append(value)
            case ast.IfExp(body=body, orelse=orelse):
                todo += [body, orelse]
            case ast.BinOp(left=left, right=right):
                todo += [left, right]
            case ast.BoolOp(values=parts):
                todo += parts
        return set()

    def _follow_call(self, call: ast.Call, todo: list[ast.expr]) -> set[str]:
        match call.func:
            case callee if self._takes_awaitables(callee):
                todo += self._awaitables(call)
            case ast.Name(id="map") if call.args:
                self._mark(call.args[0])
            case ast.Name(id=name) if name in _PASSES_ON:
                todo += _arguments(call)
            case ast.Attribute(value=ast.Name(id=name), attr=method) if method in _READS:
                return {name}
            case ast.Name(id=name) if name in self._local:
                self._follow_returns(name)
            case callee:
                self._mark(callee)
        return set()

    def _follow_returns(self, name: str) -> None:
        """Follow what a plain local function returns: it hands awaitables on."""
        if name in self._returns_followed:
            return
        self._returns_followed.add(name)
        nodes = own_nodes(self._local[name])
        sources = _sources(nodes)
        todo = [n.value for n in nodes if isinstance(n, ast.Return) and n.value is not None]
        while todo:
            for source in self._follow(todo.pop(), todo):
                todo += sources.pop(source, [])

    def _mark(self, callee: ast.expr) -> None:
        if isinstance(callee, ast.Name | ast.Attribute):
            self.places.add((callee.lineno, callee.col_offset))


def own_nodes(scope: ast.AST, inner: tuple[type[ast.AST], ...] = _SCOPES) -> list[ast.AST]:
    """Return the nodes of a scope but those below ``inner``: functions, unless told."""
    nodes: list[ast.AST] = []
    todo = list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop()
        nodes.append(node)
        if not isinstance(node, inner):
            todo += ast.iter_child_nodes(node)
    return nodes


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _sources(nodes: list[ast.AST]) -> dict[str, list[ast.expr]]:
    """Return, by name, the expressions whose values it may hold or contain."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        names, expressions = _source(node)
        for name in names:
            found.setdefault(name, []).extend(expressions)
    return found


def _source(node: ast.AST) -> tuple[set[str], list[ast.expr]]:
    match node:
        case ast.arg(arg=name):  # it hides a global of that name, whatever it is given
            return {name}, []
        case ast.Assign(targets=targets, value=value):
            return {base for target in targets for base in _base(target)}, [value]
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            return _base(target), [value]
        case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
            return _base(target), [value]
        case ast.For(target=target, iter=source) | ast.comprehension(target=target, iter=source):
            return _names(target), [source]
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=method)):
            return ({owner}, _arguments(node)) if method in _ADDS else (set(), [])
    return set(), []


def _base(target: ast.expr) -> set[str]:
    """Return the name a plain or subscripted target belongs to, if any."""
    while isinstance(target, ast.Subscript):
        target = target.value
    return {target.id} if isinstance(target, ast.Name) else set()
