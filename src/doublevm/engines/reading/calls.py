"""Checks of calls: keyword arguments, arguments monty does not take, tools as callbacks."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from doublevm.engines.monty_gaps import gap
from doublevm.engines.monty_names import ENCODINGS, METHODS, MISSING_KEYWORDS
from doublevm.engines.reading.facts import EXCEPTIONS
from doublevm.engines.reading.steps import dotted
from doublevm.engines.reading.syntax import is_dunder
from doublevm.engines.reading.values import MISSING_ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.engines.reading.scan import Checks, Scan

_SET_METHODS: Final = frozenset({"difference", "intersection", "union"})
_PATTERN_METHODS: Final = frozenset({"findall", "finditer", "fullmatch", "match", "search"})
_SPANS: Final = frozenset({"end", "span", "start"})
_CALLBACK_BUILTINS: Final = frozenset({"filter", "iter", "map", "max", "min", "sorted"})
_RUNS_CALLBACKS_WELL: Final = frozenset(
    {"functools.cache", "functools.lru_cache", "functools.partial", "functools.reduce"}
)
_REPLACEMENT_ESCAPE: Final = re.compile(r"\\[abfnrtvx0]")
_WHOLE_DATE: Final = re.compile(r"(?s)(?=.*%[yY])(?=.*%[mbBh])(?=.*%d)|(?=.*%[yY])(?=.*%j)")


def _argument(node: ast.Call, position: int, keyword: str) -> ast.expr | None:
    """Find an argument by its position or its name."""
    if position < len(node.args):
        return node.args[position]
    return next((each.value for each in node.keywords if each.arg == keyword), None)


def _keywords(scan: Scan, node: ast.Call) -> Iterator[str]:
    function = scan.function(node.func)
    missing = MISSING_KEYWORDS.get(function, frozenset())
    for keyword in node.keywords:
        if keyword.arg in missing:
            yield f"argument '{keyword.arg}' of {function}"
    if isinstance(node.func, ast.Attribute) and node.func.attr == "most_common" and node.keywords:
        yield gap("keyword")


def _exception(scan: Scan, node: ast.Call) -> Iterator[str]:
    """Monty's exceptions hold one string, and nothing else."""
    if scan.builtin(node.func) not in EXCEPTIONS:
        return
    texts = [scan.facts.kind(each) == "str" for each in node.args]
    if node.keywords or len(texts) > 1 or not all(texts):
        yield gap("exception-arguments")


def _builtin(scan: Scan, node: ast.Call) -> Iterator[str]:
    match scan.builtin(node.func), node.args:
        case "bytes", [value] if scan.facts.kind(value) not in {"int", "bytes"}:
            yield gap("bytes-values")
        case "isinstance", [_, kind] if scan.builtin(kind) == "type":
            yield gap("isinstance-type")
        case (("object" | "property"), _):
            yield gap("object-call")
        case "pow", [_, ast.UnaryOp(), _]:
            yield gap("pow-inverse")
        case (("getattr" | "hasattr"), [_, name, *_]):
            yield from _computed_attribute(scan, name)
        case "print", _:
            yield from _stream(scan, node)
        case _:
            return


def _stream(scan: Scan, node: ast.Call) -> Iterator[str]:
    stream = next((each.value for each in node.keywords if each.arg == "file"), None)
    if stream and scan.origin(stream) not in {"sys.stdout", "sys.stderr"}:
        yield gap("print-file")


def _computed_attribute(scan: Scan, node: ast.expr) -> Iterator[str]:
    """Judge the second argument of getattr: a plain name of a plain attribute is fine."""
    name = node.value if isinstance(node, ast.Constant) else None
    plain = isinstance(name, str) and not is_dunder(name)
    is_method = name in METHODS or name in MISSING_ANYWHERE
    if not plain or (is_method and name not in scan.facts.fields):
        yield gap("computed-attribute")


def _method(scan: Scan, node: ast.Call) -> Iterator[str]:
    """Check a method by its name, and by how it is called."""
    if not isinstance(node.func, ast.Attribute) or scan.origin(node.func):
        return
    name = node.func.attr
    if name in scan.facts.methods or scan.graph.is_tool_path(dotted(node.func)):
        return
    if (name in _SET_METHODS and len(node.args) != 1) or (name == "update" and node.args[1:]):
        yield gap("set-arguments")
    elif name in {"encode", "decode"}:
        yield from _encoding(node)
    elif name == "sub" and node.args:
        yield from _replacement(scan, node.args[0])
    else:
        yield from _expression_method(name, node)


def _expression_method(name: str, node: ast.Call) -> Iterator[str]:
    """Check the methods of compiled patterns and of matches."""
    if name in _PATTERN_METHODS and node.args[1:]:
        yield gap("re-position")
    elif name in _SPANS and node.args and isinstance(node.args[0], ast.Constant):
        if isinstance(node.args[0].value, str):
            yield gap("re-group-name")
    elif name == "groups" and (node.args or node.keywords):
        yield gap("re-default")


def _encoding(node: ast.Call) -> Iterator[str]:
    encoding = _argument(node, 0, "encoding")
    if encoding is None:
        return
    known = isinstance(encoding, ast.Constant) and isinstance(encoding.value, str)
    if not known or str(ast.literal_eval(encoding)).lower().replace("_", "-") not in ENCODINGS:
        yield gap("encoding")


def _imported(scan: Scan, node: ast.Call) -> Iterator[str]:
    function = scan.origin(node.func)
    match function.split("."):
        case ["re", name]:
            if name == "sub" and (replacement := _argument(node, 1, "repl")):
                yield from _replacement(scan, replacement)
            pattern = _argument(node, 0, "pattern")
            if pattern and scan.facts.kind(pattern) == "bytes":
                yield gap("re-bytes")
        case ["datetime", "timedelta"]:
            values = [*node.args, *(each.value for each in node.keywords)]
            if any(_is_fraction(scan, each) for each in values):
                yield gap("timedelta-float")
        case [*_, "strptime"]:
            form = _argument(node, 1, "format")
            if not (isinstance(form, ast.Constant) and _is_whole_date(str(form.value))):
                yield gap("strptime-format")
        case _:
            return


def _is_fraction(scan: Scan, node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)) or (
        scan.facts.kind(node) == "float"
    )


def _is_whole_date(form: str) -> bool:
    """Monty drops a time that has hours but no minutes, and refuses a date with parts missing."""
    hours = "%H" in form or "%I" in form
    return bool(_WHOLE_DATE.search(form)) and (not hours or "%M" in form)


def _replacement(scan: Scan, node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Lambda():
            yield gap("re-callable")
        case ast.Name(id=name) if name in scan.facts.functions or scan.builtin(node):
            yield gap("re-callable")
        case ast.Attribute() if node.attr in scan.facts.methods:
            yield gap("re-callable")
        case ast.Constant(value=str(text)) if _REPLACEMENT_ESCAPE.search(text):
            yield gap("re-escape")
        case _:
            return


def _callbacks(scan: Scan, node: ast.Call) -> Iterator[str]:
    """A tool call suspends the guest, and a builtin cannot be suspended half-way."""
    function = scan.function(node.func)
    if function in _RUNS_CALLBACKS_WELL or not _calls_back(node, function):
        return
    given = [*node.args, *(each.value for each in node.keywords)]
    if any(_may_suspend(scan, each) for each in given):
        yield gap("tool-callback")


def _calls_back(node: ast.Call, function: str) -> bool:
    if function:
        return function in _CALLBACK_BUILTINS or "." in function
    is_method = isinstance(node.func, ast.Attribute)
    return is_method and any(each.arg == "key" for each in node.keywords)


def _may_suspend(scan: Scan, node: ast.expr) -> bool:
    graph = scan.graph
    if isinstance(node, ast.Lambda):
        return node in graph.suspending
    if isinstance(node, ast.Call) and scan.origin(node.func) == "functools.partial":
        return any(_may_suspend(scan, each) for each in node.args[:1])
    path = dotted(node)
    if len(path) == 1 and not scan.builtin(node) and scan.is_own(path[0]):
        name = path[0]
        unknown = name not in scan.facts.functions and name not in scan.facts.classes
        return f"f:{name}" in graph.suspending or (graph.passed and unknown)
    is_method = isinstance(node, ast.Attribute) and f"m:{node.attr}" in graph.suspending
    return is_method or graph.is_tool_path(path)


CHECKS: Checks = {
    ast.Call: (_keywords, _exception, _builtin, _method, _imported, _callbacks),
}
