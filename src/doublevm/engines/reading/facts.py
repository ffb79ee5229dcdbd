"""What a program defines and imports, gathered from its syntax tree in one pass.

No scope is evaluated: a set of facts, each cheap to ask for.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from doublevm.engines.reading.kinds import UNKNOWN, kind_of
from doublevm.engines.reading.steps import FunctionNode, ScopeNode, Step, dotted, parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EXCEPTIONS: Final = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)
_BUILTIN_CALLS: Final = frozenset((name,) for name in dir(builtins))
_EXCEPTION_CALLS: Final = frozenset((name,) for name in EXCEPTIONS)


@dataclass(slots=True)
class Facts:
    """The facts of one facts."""

    tree: ast.Module
    tools: frozenset[str]
    bound: dict[ast.AST, set[str]] = field(default_factory=dict)
    """For each scope the names it binds, imports left out."""
    aliases: dict[str, str] = field(default_factory=dict)
    """Imported names, and what they stand for: `np` is `numpy`, `sqrt` is `math.sqrt`."""
    classes: set[str] = field(default_factory=set)
    functions: dict[str, list[FunctionNode]] = field(default_factory=dict)
    methods: dict[str, list[FunctionNode]] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)
    """Attributes that the program's own classes hold, methods left out."""
    handlers: set[str] = field(default_factory=set)
    """Names that hold a caught exception."""
    kinds: dict[str, set[str]] = field(default_factory=dict)
    """For each name the types of what is assigned to it."""
    shared: set[str] = field(default_factory=set)
    """Names whose value is given a second holder."""
    guarded: set[ast.AST] = field(default_factory=set)
    """Imports whose failure the program expects."""
    namespaces: frozenset[str] = frozenset()
    """The first parts of tool names: `users` of `users:list`."""

    def everywhere(self) -> set[str]:
        """Every name bound or imported in any scope."""
        return set().union(self.aliases, *self.bound.values())

    def kind(self, node: ast.expr) -> str:
        """Name the type of an expression, a name's included if all assignments agree."""
        if not isinstance(node, ast.Name):
            return kind_of(node)
        kinds = self.kinds.get(node.id, ())
        return next(iter(kinds)) if len(kinds) == 1 else UNKNOWN


def read(tree: ast.Module, tools: frozenset[str], steps: list[Step]) -> Facts:
    """Gather the facts of a program."""
    roots = frozenset(name.replace(":", ".").partition(".")[0] for name in tools)
    facts = Facts(tree, tools, namespaces=roots)
    facts.bound[tree] = set()
    for node, scope, _, leaves in steps:
        note = _NOTES.get(type(node))
        if note and not leaves:
            note(facts, node, scope)
    return facts


def _note_definition(facts: Facts, node: FunctionNode | ast.ClassDef, scope: ScopeNode) -> None:
    facts.bound[node] = set()
    if not isinstance(node, ast.Lambda):
        facts.bound[scope].add(node.name)
    if isinstance(node, ast.ClassDef):
        facts.classes.add(node.name)
        return
    for parameter in parameters(node):
        facts.bound[node].add(parameter.arg)
        _note_kind(facts, parameter.arg, _annotated_kind(parameter.annotation))
    if not isinstance(node, ast.Lambda):
        family = facts.methods if isinstance(scope, ast.ClassDef) else facts.functions
        family.setdefault(node.name, []).append(node)


def _annotated_kind(annotation: ast.expr | None) -> str:
    known = isinstance(annotation, ast.Name) and annotation.id in {"str", "int", "float", "bytes"}
    return annotation.id if known and isinstance(annotation, ast.Name) else UNKNOWN


def _note_import(facts: Facts, node: ast.Import | ast.ImportFrom, _scope: ScopeNode) -> None:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            facts.aliases[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
        elif alias.asname:
            facts.aliases[alias.asname] = alias.name
        else:
            root = alias.name.partition(".")[0]
            facts.aliases[root] = root


def _note_assignment(
    facts: Facts, node: ast.Assign | ast.AnnAssign | ast.NamedExpr, scope: ScopeNode
) -> None:
    if node.value is not None:
        _note_sharing(facts, [node.value])
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if not isinstance(target, ast.Name):
            continue
        if isinstance(scope, ast.ClassDef):
            facts.fields.add(target.id)
        if node.value is not None:
            _note_kind(facts, target.id, kind_of(node.value))
        if isinstance(node.value, ast.Lambda):
            facts.functions.setdefault(target.id, []).append(node.value)
        elif isinstance(node.value, ast.Call) and dotted(node.value.func)[-1:] in _EXCEPTION_CALLS:
            facts.handlers.add(target.id)


def _note_sharing(facts: Facts, values: list[ast.expr]) -> None:
    """Remember the names that are passed on whole, to another name or into a call."""
    for value in values:
        held = getattr(value, "elts", [value])
        facts.shared.update(each.id for each in held if isinstance(each, ast.Name))


def _note_kind(facts: Facts, name: str, kind: str) -> None:
    facts.kinds.setdefault(name, set()).add(kind)


def _note_try(facts: Facts, node: ast.Try, _scope: ScopeNode) -> None:
    """Remember the imports that the program can do without."""
    caught: set[str] = set()
    for handler in node.handlers:
        named = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        caught.update(dotted(each)[-1] if each and dotted(each) else "" for each in named)
    if caught & {"", "ImportError", "ModuleNotFoundError", "Exception", "BaseException"}:
        facts.guarded.update(
            each for each in node.body if isinstance(each, ast.Import | ast.ImportFrom)
        )


def _note_namedtuple(facts: Facts, node: ast.Call) -> None:
    """Take the fields of a namedtuple from its arguments."""
    if dotted(node.func)[-1:] != ("namedtuple",) or len(node.args) < 2:  # noqa: PLR2004
        return
    match node.args[1]:
        case ast.Constant(value=str(text)):
            facts.fields.update(text.replace(",", " ").split())
        case ast.List(elts=names) | ast.Tuple(elts=names):
            facts.fields.update(str(each.value) for each in names if isinstance(each, ast.Constant))


def _note_call(facts: Facts, node: ast.Call, _scope: ScopeNode) -> None:
    _note_namedtuple(facts, node)
    if dotted(node.func)[:1] not in _BUILTIN_CALLS:
        _note_sharing(facts, [*node.args, *(each.value for each in node.keywords)])


def _note_name(facts: Facts, node: ast.Name, scope: ScopeNode) -> None:
    if not isinstance(node.ctx, ast.Load):
        facts.bound[scope].add(node.id)
        facts.kinds.setdefault(node.id, set())


def _note_attribute(facts: Facts, node: ast.Attribute, _scope: ScopeNode) -> None:
    if isinstance(node.ctx, ast.Store):
        facts.fields.add(node.attr)


def _note_handler(facts: Facts, node: ast.ExceptHandler, scope: ScopeNode) -> None:
    if node.name:
        facts.handlers.add(node.name)
        _bind_unknown(facts, node.name, scope)


def _note_capture(facts: Facts, node: ast.MatchAs | ast.MatchStar, scope: ScopeNode) -> None:
    _bind_unknown(facts, node.name, scope)


def _note_rest(facts: Facts, node: ast.MatchMapping, scope: ScopeNode) -> None:
    _bind_unknown(facts, node.rest, scope)


def _bind_unknown(facts: Facts, name: str | None, scope: ScopeNode) -> None:
    if name:
        facts.bound[scope].add(name)
        _note_kind(facts, name, UNKNOWN)


def _note_global(facts: Facts, node: ast.Global | ast.Nonlocal, _scope: ScopeNode) -> None:
    facts.bound[facts.tree].update(node.names)


def _note_loop(
    facts: Facts, node: ast.For | ast.AsyncFor | ast.comprehension, _scope: ScopeNode
) -> None:
    _note_unknown(facts, node.target)


def _note_with(facts: Facts, node: ast.withitem, _scope: ScopeNode) -> None:
    if node.optional_vars:
        _note_unknown(facts, node.optional_vars)


def _note_unpacking(facts: Facts, node: ast.Tuple | ast.List, _scope: ScopeNode) -> None:
    if isinstance(node.ctx, ast.Store):
        for element in node.elts:
            _note_unknown(facts, element)


def _note_unknown(facts: Facts, target: ast.expr) -> None:
    if isinstance(target, ast.Starred):
        target = target.value
    if isinstance(target, ast.Name):
        _note_kind(facts, target.id, UNKNOWN)


_NOTES: Final[Mapping[type[ast.AST], Callable[[Facts, Any, ScopeNode], None]]] = {
    ast.AnnAssign: _note_assignment,
    ast.Assign: _note_assignment,
    ast.AsyncFor: _note_loop,
    ast.AsyncFunctionDef: _note_definition,
    ast.Attribute: _note_attribute,
    ast.Call: _note_call,
    ast.ClassDef: _note_definition,
    ast.ExceptHandler: _note_handler,
    ast.For: _note_loop,
    ast.FunctionDef: _note_definition,
    ast.Global: _note_global,
    ast.Import: _note_import,
    ast.ImportFrom: _note_import,
    ast.Lambda: _note_definition,
    ast.List: _note_unpacking,
    ast.MatchAs: _note_capture,
    ast.MatchMapping: _note_rest,
    ast.MatchStar: _note_capture,
    ast.Name: _note_name,
    ast.NamedExpr: _note_assignment,
    ast.Nonlocal: _note_global,
    ast.Try: _note_try,
    ast.Tuple: _note_unpacking,
    ast.comprehension: _note_loop,
    ast.withitem: _note_with,
}
