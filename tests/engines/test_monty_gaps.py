"""Holds the table of what monty lacks against the installed monty, row by row and both ways.

A failure names the row to change: monty has gained something (take the row out) or lost something
(add one).
"""

from __future__ import annotations

import ast
import builtins
import collections
import datetime as dt
import decimal
import hashlib
import importlib
import importlib.util
import inspect
import itertools
import pathlib
import random
import re
import sys
import tomllib
import types
from typing import TYPE_CHECKING, Any

import pytest

from doublevm.engines.choice import lacking_in_monty
from doublevm.engines.monty_gaps import (
    GAPS,
    HARMLESS_MODULES,
    MONTY_ONLY_MODULES,
    REFUSED_ATTRIBUTES,
    REFUSED_MODULES,
    TOLERATED,
    Gap,
)
from doublevm.engines.monty_names import (
    CALLED_ONLY,
    CLASS_VALUES,
    ENCODINGS,
    METHODS,
    MISLEADING_NAMES,
    MISSING_BUILTINS,
    MISSING_KEYWORDS,
    MISSING_METHODS,
    MONTY_MODULES,
    SUPPORTED_DUNDERS,
)
from tests.differential.corpus import CASES
from tests.differential.oracle import Outcome, plain
from tests.differential.oracle import run as run_on_cpython
from tests.engines.probe import Probe, probes

if TYPE_CHECKING:
    from collections.abc import Iterator

SPECIAL_METHODS: dict[str, str] = tomllib.loads(
    pathlib.Path(__file__).with_name("special_methods.toml").read_text(encoding="utf-8")
)
TOOLS = frozenset({"lookup"})
IMPORTS = "import collections, datetime, decimal, hashlib, itertools, pathlib, random, re\n"
EXAMPLES = {
    "str": "'a'",
    "bytes": "b'a'",
    "int": "1",
    "float": "1.5",
    "list": "[1]",
    "dict": "{1: 2}",
    "set": "{1}",
    "frozenset": "frozenset()",
    "tuple": "(1,)",
    "range": "range(3)",
    "slice": "slice(1)",
    "date": "datetime.date(2020, 1, 1)",
    "datetime": "datetime.datetime(2020, 1, 1)",
    "time": "datetime.time(1)",
    "timedelta": "datetime.timedelta(1)",
    "timezone": "datetime.timezone.utc",
    "Decimal": "decimal.Decimal(1)",
    "Counter": "collections.Counter()",
    "deque": "collections.deque([1])",
    "defaultdict": "collections.defaultdict(list)",
    "exception": "ValueError('a')",
    "Pattern": "re.compile('a')",
    "Match": "re.match('a', 'a')",
    "dict_keys": "{}.keys()",
    "Path": "pathlib.Path('a')",
}
SUSPENDS = {"Path"}
"""Types whose methods ask the host, which refuses: that they ask shows that they are there."""


@pytest.fixture(scope="module")
def monty() -> Iterator[Probe]:
    yield from probes()


def agree(one: Outcome, other: Outcome) -> bool:
    return (plain(one.value), one.stdout, one.error) == (
        plain(other.value),
        other.stdout,
        other.error,
    )


ROWS = [row for row in (*GAPS, *TOLERATED) if sys.version_info[:2] >= row.since]


def cpython_with_tools(source: str) -> Outcome:
    """Give the sample's tool a body, since there is no host here."""
    return run_on_cpython(f"def lookup(x): return 1\n{source}" if "lookup" in source else source)


# ── the rows themselves ───────────────────────────────────────────────────────────────────


def test_row_ids_are_unique() -> None:
    ids = [row.id for row in (*GAPS, *TOLERATED)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_monty_differs_as_the_row_says(monty: Probe, row: Gap) -> None:
    expected = cpython_with_tools(row.sample)
    if row in GAPS:
        assert expected.error is None, f"the sample of '{row.id}' fails on CPython itself"
    assert not agree(monty.run(row.sample, TOOLS), expected), f"take out the row '{row.id}'"


@pytest.mark.parametrize("row", GAPS, ids=lambda row: row.id)
def test_the_row_is_found_in_its_sample(row: Gap) -> None:
    if row not in ROWS:
        pytest.skip("not in this version of Python")
    found = {reason.what for reason in lacking_in_monty(ast.parse(row.sample), TOOLS)}
    named_by_what_they_lack = {"special-method", "keyword"}
    assert found
    assert row.what in found or row.id in named_by_what_they_lack


@pytest.mark.parametrize("row", TOLERATED, ids=lambda row: row.id)
def test_a_tolerated_difference_moves_nothing(row: Gap) -> None:
    assert lacking_in_monty(ast.parse(row.sample)) == ()


def test_whatever_the_table_does_not_name_works(monty: Probe) -> None:
    wrong = []
    for case in CASES:
        try:
            tree = ast.parse(case.source)
        except SyntaxError:
            continue
        if not lacking_in_monty(tree):
            expected, got = run_on_cpython(case.source), monty.run(case.source)
            if not agree(expected, got):
                wrong.append((case.id, expected, got))
    assert not wrong, "monty differs: add a row for each, or correct the check that missed it"


NOT_PROGRAM_NODES = {
    "AST", "Expression", "FunctionType", "Interactive", "Suite", "TypeIgnore", "Module",
    "AugLoad", "AugStore", "Param", "Index", "ExtSlice", "Num", "Str", "Bytes", "NameConstant",
    "Ellipsis", "alias", "arg", "arguments", "expr_context", "slice", "type_ignore",
    "type_param", "ParamSpec", "TypeVar", "TypeVarTuple", "TemplateStr", "Interpolation",
}  # fmt: skip


def test_every_kind_of_node_is_tried() -> None:
    sources = [case.source for case in CASES] + [row.sample for row in ROWS]
    seen = set()
    for source in sources:
        try:
            seen |= {type(node).__name__ for node in ast.walk(ast.parse(source))}
        except SyntaxError:
            continue
    concrete = {
        name
        for name, kind in vars(ast).items()
        if not name.startswith("_") and isinstance(kind, type)
        if issubclass(kind, ast.AST) and not kind.__subclasses__()
    }
    assert concrete - NOT_PROGRAM_NODES - seen == set()


# ── modules ───────────────────────────────────────────────────────────────────────────────


def importable_on_monty(monty: Probe, names: list[str]) -> set[str]:
    tries = "".join(
        f"try:\n    import {name}\n    found.append('{name}')\nexcept ImportError: pass\n"
        for name in names
    )
    return set(monty.value(f"found = []\n{tries}found"))


def test_modules(monty: Probe) -> None:
    names = sorted(sys.stdlib_module_names | HARMLESS_MODULES | MONTY_MODULES.keys())
    found = importable_on_monty(monty, [name for name in names if not name.startswith("_")])
    # `os` is there in part, and left out of the table because it is refused as a whole.
    assert found - {"os"} == MONTY_MODULES.keys(), "change MONTY_MODULES"


@pytest.mark.parametrize("module", sorted(MONTY_MODULES))
def test_names_of_a_module(monty: Probe, module: str) -> None:
    listed = MONTY_MODULES[module] | MISLEADING_NAMES.get(module, frozenset())
    public = {
        name
        for name, value in vars(importlib.import_module(module)).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    names = sorted(public | listed)
    found = monty.value(f"import {module}\n[n for n in {names!r} if hasattr({module}, n)]")
    assert set(found) == listed, f"change MONTY_MODULES['{module}'] or MISLEADING_NAMES"


def test_harmless_modules_can_be_imported_and_are_not_refused() -> None:
    assert not HARMLESS_MODULES & REFUSED_MODULES.keys()
    assert not HARMLESS_MODULES & MONTY_ONLY_MODULES.keys()
    assert MONTY_ONLY_MODULES.keys() < MONTY_MODULES.keys()
    assert MONTY_MODULES.keys() - MONTY_ONLY_MODULES.keys() < HARMLESS_MODULES
    for name in HARMLESS_MODULES:
        assert importlib.util.find_spec(name), f"no module '{name}' in this Python"


def test_refused_parts_belong_to_harmless_modules() -> None:
    assert REFUSED_ATTRIBUTES.keys() <= HARMLESS_MODULES


# ── builtins and methods ──────────────────────────────────────────────────────────────────


def test_builtins(monty: Probe) -> None:
    names = sorted(set(dir(builtins)) | MISSING_BUILTINS)
    tries = "".join(
        f"try:\n    {name}\nexcept NameError: missing.append('{name}')\n" for name in names
    )
    missing = set(monty.value(f"missing = []\n{tries}missing"))
    assert missing == MISSING_BUILTINS, "change MISSING_BUILTINS"


def test_every_type_has_an_example() -> None:
    assert EXAMPLES.keys() == MISSING_METHODS.keys()


def example(kind: str) -> Any:
    return eval(f"{EXAMPLES[kind]}", {"__builtins__": builtins, **MODULES})  # noqa: S307


MODULES = {
    "collections": collections,
    "datetime": dt,
    "decimal": decimal,
    "hashlib": hashlib,
    "itertools": itertools,
    "pathlib": pathlib,
    "random": random,
    "re": re,
}


DATES = (dt.date, dt.time, dt.timedelta, dt.timezone)


def is_of_the_type(kind: type, name: str) -> bool:
    """Tell class methods and constants from what an instance is asked for."""
    static = inspect.getattr_static(kind, name)
    ways = (classmethod, staticmethod, types.ClassMethodDescriptorType, types.BuiltinFunctionType)
    return isinstance(static, (*ways, *DATES))


def lacks(monty: Probe, expression: str) -> bool:
    """Tell whether monty finds no such attribute, whatever comes of the call."""
    outcome = monty.run(
        f"{IMPORTS}try:\n    {expression}\n    missing = False\n"
        "except AttributeError: missing = True\nexcept Exception: missing = False\nmissing"
    )
    return outcome.error is None and outcome.value is True


def called(kind: type, name: str) -> str:
    """A method has to be called to be found; a value must not be."""
    return "()" if inspect.isroutine(getattr(kind, name)) else ""


@pytest.mark.parametrize("kind", sorted(MISSING_METHODS))
def test_methods(monty: Probe, kind: str) -> None:
    value = example(kind)
    listed = MISSING_METHODS[kind]
    names = {
        name
        for name in dir(value)
        if not name.startswith("_") and not is_of_the_type(type(value), name)
    } | {name for name in listed if hasattr(value, name)}
    missing = {
        name
        for name in names
        if lacks(monty, f"({EXAMPLES[kind]}).{name}{called(type(value), name)}")
    }
    wrong = missing ^ {name for name in listed if hasattr(value, name)}
    assert not wrong, f"change MISSING_METHODS['{kind}']: {sorted(wrong)}"


def test_methods_as_values(monty: Probe) -> None:
    """Monty has no bound methods of builtin types; the day it does, the row goes."""
    for kind in ("str", "list", "dict", "Decimal", "Match"):
        value = example(kind)
        for name in dir(value):
            if not name.startswith("_") and inspect.isroutine(getattr(value, name)):
                assert lacks(monty, f"({EXAMPLES[kind]}).{name}")


def test_method_names_are_complete() -> None:
    values = [example(kind) for kind in MISSING_METHODS if kind not in SUSPENDS]
    values += [hashlib.md5(), random.Random()]  # noqa: S324, S311 - for their names only
    names = {
        name
        for value in values
        for name in dir(type(value))
        if not name.startswith("_") and inspect.isroutine(getattr(type(value), name))
    }
    of_random = {name for name in names if name.endswith("variate")} | {"gauss", "triangular"}
    assert names - METHODS - of_random == set()


@pytest.mark.parametrize("kind", sorted(CALLED_ONLY))
def test_what_types_carry_themselves(monty: Probe, kind: str) -> None:
    names = [name for name in dir(example_type(kind)) if not name.startswith("_")]
    called = {name for name in names if not lacks(monty, f"{kind}.{name}()")}
    values = {name for name in names if not lacks(monty, f"{kind}.{name}")}
    # `pathlib.Path.cwd` asks the host, and is refused with an error that is none of these.
    assert called - values <= CALLED_ONLY[kind], f"change CALLED_ONLY['{kind}']"
    assert CALLED_ONLY[kind] - CLASS_VALUES.get(kind, frozenset()) <= called
    assert values == CLASS_VALUES.get(kind, frozenset()), f"change CLASS_VALUES['{kind}']"


def example_type(kind: str) -> Any:
    module, _, name = kind.rpartition(".")
    return getattr(importlib.import_module(module or "builtins"), name)


def test_special_methods(monty: Probe) -> None:
    honoured = set()
    for name, sample in SPECIAL_METHODS.items():
        expected = run_on_cpython(sample)
        assert expected.error is None, f"the sample of {name} fails on CPython itself"
        if agree(expected, monty.run(sample)):
            honoured.add(name)
    assert honoured == SUPPORTED_DUNDERS & SPECIAL_METHODS.keys(), "change SUPPORTED_DUNDERS"
    assert SPECIAL_METHODS.keys() >= SUPPORTED_DUNDERS


# ── calls ─────────────────────────────────────────────────────────────────────────────────

UNKNOWN_KEYWORD = "unexpected keyword|not yet support|takes no keyword"


def refuses_keyword(monty: Probe, function: str, keyword: str) -> bool:
    module = function.rpartition(".")[0]
    imports = f"import {module.partition('.')[0]}\n" if module else ""
    message = monty.value(
        f"{imports}text = ''\nfor value in (0, 1):\n"
        f"    try: {function}({keyword}=value)\n"
        "    except Exception as e: text += str(e)\ntext"
    )
    names_it = re.search(rf"\b{keyword}\b", message) or "keyword arguments" in message
    return bool(names_it and re.search(UNKNOWN_KEYWORD, message))


@pytest.mark.parametrize("function", sorted(MISSING_KEYWORDS.keys() - {"datetime.datetime"}))
def test_keywords(monty: Probe, function: str) -> None:
    listed = MISSING_KEYWORDS[function]
    names = set(listed)
    try:
        signature = inspect.signature(example_type(function))
    except ValueError:
        pass
    else:
        names |= {
            each.name for each in signature.parameters.values() if each.kind is each.KEYWORD_ONLY
        }
    refused = {name for name in names if refuses_keyword(monty, function, name)}
    assert refused == listed, f"change MISSING_KEYWORDS['{function}']"


def test_the_fold_of_a_datetime_is_dropped(monty: Probe) -> None:
    assert MISSING_KEYWORDS["datetime.datetime"] == {"fold"}
    made = monty.value("import datetime\ndatetime.datetime(2024, 1, 1, fold=1)")
    assert made.fold == 0, "change MISSING_KEYWORDS['datetime.datetime']"


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_encodings(monty: Probe, encoding: str) -> None:
    assert monty.value(f"'abc'.encode({encoding!r}).decode({encoding!r})") == "abc"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-7", "utf-8-sig", "koi8-r"])
def test_other_encodings(monty: Probe, encoding: str) -> None:
    assert monty.run(f"'abc'.encode({encoding!r})").error == "LookupError", "change ENCODINGS"
