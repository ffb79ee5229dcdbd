"""The survey: every node once, filed by its type, and what the program binds."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

from doublevm.guard.survey import Survey, TooLargeError
from doublevm.guard_options import MAX_NESTING, MAX_NODES
from tests.guard.harmless_programs import ALL, ROOT

_ATOMS = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)


def survey(source: str) -> Survey:
    return Survey(ast.parse(source), MAX_NESTING, MAX_NODES)


PYTHON = [path.read_text(encoding="utf-8") for path in sorted(Path(ROOT, "src").rglob("*.py"))]
SOURCES = [*PYTHON, *(program.source for program in ALL if program.id != "errors-syntax_error")]


def test_no_node_is_missed() -> None:
    for source in SOURCES:
        tree = ast.parse(source)
        expected = {id(node) for node in ast.walk(tree) if not isinstance(node, _ATOMS)}
        surveyed = Survey(tree, MAX_NESTING, MAX_NODES)
        found = [
            id(node) for kind in {type(n) for n in ast.walk(tree)} for node in surveyed.of(kind)
        ]
        assert len(found) == len(set(found)) == surveyed.nodes
        assert set(found) == expected


def depth(node: ast.AST) -> int:
    return 1 + max((depth(child) for child in ast.iter_child_nodes(node)), default=0)


def test_the_depth_is_that_of_the_tree() -> None:
    # The operator of ``a + b`` is a node without anything below it, beside two that may have some.
    assert survey("f(a)[b].c").depth == depth(ast.parse("f(a)[b].c")) - 1


@pytest.mark.parametrize("limit", ["nesting", "nodes"])
def test_what_is_too_large_is_told_with_its_place(limit: str) -> None:
    tree = ast.parse("a = 1\nb = [1, [2]]")
    nesting, nodes = (4, 99) if limit == "nesting" else (99, 6)
    with pytest.raises(TooLargeError) as caught:
        Survey(tree, nesting, nodes)
    assert caught.value.rule == f"max_{limit}"
    assert getattr(caught.value.node, "lineno", 0) == 2


BINDS = {
    "a = b.c = d[0] = 1": {"a"},
    "a, (b, *c) = x": {"a", "b", "c"},
    "del a": {"a"},
    "for a in b: pass": {"a"},
    "[a for a in b if (c := a)]": {"a", "c"},
    "def f(a, /, b, *c, d, **e): pass": set("fabcde"),
    "lambda a: a": {"a"},
    "class A(B): pass": {"A"},
    "async def f(): pass": {"f"},
    "import a.b, c as d": {"a", "d"},
    "from a import b, c as d": {"b", "d"},
    "try: pass\nexcept A as e: pass\nexcept B: pass": {"e"},
    "with a as b: pass": {"b"},
    "match a:\n case [b, *c]: pass\n case {'k': d, **e}: pass": set("bcde"),
    "match a:\n case {'k': d}: pass\n case [*_]: pass\n case _: pass": {"d"},
    "def f():\n global a\n nonlocal_ = 1": {"f", "a", "nonlocal_"},
    "a: int": {"a"},
    "a += 1": {"a"},
}


@pytest.mark.parametrize("source", BINDS)
def test_names_that_are_bound(source: str) -> None:
    assert survey(source).bound == BINDS[source]


class TypeVar(ast.AST):
    _fields = ("name",)


class TypeAlias(ast.AST):
    _fields = ("name", "value")


def test_names_of_newer_syntax_on_any_version() -> None:
    """Python 3.12 has such nodes; here are some that look like them."""
    parameter, alias = TypeVar(), TypeAlias()
    parameter.name = "T"  # type: ignore[attr-defined]
    alias.name, alias.value = ast.Name("X", ast.Store()), ast.Constant(1)  # type: ignore[attr-defined]
    body: list[Any] = [parameter, alias]
    found = Survey(ast.Module(body, []), MAX_NESTING, MAX_NODES)
    assert found.bound == {"T", "X"}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="not in this version of Python")
def test_names_of_newer_syntax() -> None:
    assert survey("def f[T, *Ts, **P](): pass\ntype X = int").bound == {"f", "T", "Ts", "P", "X"}


ORIGINS = [
    ("import math\nmath.sqrt", "math.sqrt"),
    ("import os.path as p\np.join", "os.path.join"),
    ("import os.path\nos.path.join", "os.path.join"),
    ("from a.b import c as d\nd.e", "a.b.c.e"),
    ("from . import x\nx.y", ".x.y"),
    ("math.sqrt", ""),
    ("import math\nmath = 1\nmath.sqrt", ""),
    ("import math\nf().sqrt", ""),
]


@pytest.mark.parametrize(("source", "origin"), ORIGINS)
def test_what_a_name_stands_for(source: str, origin: str) -> None:
    surveyed = survey(source)
    (last,) = [node for node in surveyed.of(ast.Expr) if node is surveyed.tree.body[-1]]
    assert surveyed.origin(last.value) == origin


def test_builtins_unless_they_are_bound() -> None:
    surveyed = survey("eval(exec)\nexec = 1")
    assert [surveyed.builtin(name) for name in surveyed.of(ast.Name)].count("eval") == 1
    assert [surveyed.builtin(name) for name in surveyed.of(ast.Name)].count("exec") == 0
