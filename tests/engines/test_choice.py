"""What `engine="auto"` makes of programs: the engine, the reasons, the refusals, the cost."""

from __future__ import annotations

import ast
import time

import pytest

from doublevm.engines.choice import Choice, Reason, Refusal, choose, lacking_in_monty
from doublevm.engines.monty_gaps import gap

TOOLS = frozenset({"list_expenses", "lookup", "users:list", "mail.send", "input"})


def decide(source: str) -> Choice | Refusal:
    return choose(ast.parse(source), TOOLS)


STAYS_ON_MONTY = {
    "filter and sum": """
rows = list_expenses(team="red")
total = sum(row["amount"] for row in rows if row["approved"])
groups = {}
for row in rows:
    groups.setdefault(row["team"], []).append(row)
top = sorted(groups.items(), key=lambda item: -len(item[1]))[:5]
print(f"total {total:,.2f}")
{"total": round(total, 2), "top": [name for name, _ in top]}
""",
    "gather": """
import asyncio
teams = ["red", "blue"]
results = await asyncio.gather(*[list_expenses(team=team) for team in teams])
flat = [row for rows in results for row in rows]
any(row["amount"] > 100 for row in flat)
""",
    "functions, dates and counters": """
import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta
def parse(row):
    try:
        return datetime.strptime(row["date"], "%Y-%m-%d")
    except ValueError as e:
        print("bad", e)
        return None
groups = defaultdict(list)
for row in users.list(limit=100)["users"]:
    day = parse(row)
    if day and day > datetime(2024, 1, 1) - timedelta(days=30):
        groups[row["team"]].append(row)
counts = Counter(row["name"] for rows in groups.values() for row in rows)
json.dumps(dict(counts.most_common(3)), indent=2)
""",
    "paging with call_tool": """
page = call_tool("users:list", {"limit": 10})
while page["next"]:
    page = call_tool("users:list", {"limit": 10, "cursor": page["next"]})
all(user["active"] for user in page["users"])
""",
    "a tool in plain loops and methods": """
class Report:
    def __init__(self, team):
        self.rows = list_expenses(team=team)
    def total(self):
        return sum(lookup(row) for row in self.rows)
def best(names):
    return max([lookup(name) for name in names])
[Report("red").total(), best("ab"), [lookup(n) for n in range(2)]]
""",
    "a dataclass with fields named like methods": """
from dataclasses import dataclass, field
@dataclass
class Item:
    title: str
    count: int = 0
    tags: list = field(default_factory=list)
items = [Item("a", 3), Item("b")]
[item.title for item in items if item.count]
""",
    "namedtuple fields named like methods": """
from collections import namedtuple
Entry = namedtuple("Entry", "index title")
[entry.index for entry in [Entry(1, "a")]]
""",
    "a denial is caught": """
try:
    mail.send(to="x")
except PermissionError as e:
    print("denied:", e, type(e).__name__)
""",
    "raising with a text": """
def check(x, why: str):
    if x < 0:
        raise ValueError(f"negative: {x}")
    if x > 9:
        raise RuntimeError("too big: " + str(x))
    if x == 5:
        raise KeyError(why)
check(3, "five")
""",
    "a pure function in a lazy place": """
def ok(x):
    return x > 1
[any(ok(x) for x in [1, 2]), list(map(ok, [1, 2])), ",".join(map(str, [1]))]
""",
    "regular expressions": """
import re
m = re.search(r"(\\d+)-(\\d+)", "12-34")
int(m.group(1)) + int(m.group(2))
""",
    "pure paths": """
from pathlib import Path
from os.path import join
from posixpath import basename
[Path("a/b.txt").suffix, join("a", "b"), basename("a/b")]
""",
    "time": """
import time
start = time.time()
time.sleep(0.01)
time.time() - start
""",
    "an optional package": """
try:
    import numpy
except ImportError:
    numpy = None
numpy is None
""",
    "imports for type checkers": """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import numpy
def f(x: "numpy.ndarray") -> undefined: return x
""",
    "own names instead of builtins": """
def callable(x):
    return True
dir = 3
[callable(3), dir, (lambda vars: vars)(1)]
""",
    "a tool named like a builtin": 'input(prompt="name")',
    "opening a file is refused when it runs": """
try:
    open("/etc/passwd")
except PermissionError as e:
    print(e)
""",
    "an empty program": "",
}


@pytest.mark.parametrize("source", STAYS_ON_MONTY.values(), ids=STAYS_ON_MONTY.keys())
def test_ordinary_programs_stay_on_monty(source: str) -> None:
    assert decide(source) == Choice("monty")


MOVES = [
    ("class A: pass\nclass B(A): pass", gap("class-inheritance"), 2),
    ("def g():\n    yield 1", gap("yield"), 2),
    ("d = {1: 2}\ndel d[1]", gap("del"), 2),
    ("class A:\n    @property\n    def x(self): return 1", gap("method-decorator"), 3),
    ("class A:\n    x = 1\n    if x:\n        y = 2", gap("class-body"), 3),
    ("class A:\n    def __len__(self): return 1", "special method '__len__'", 2),
    ("import heapq\nheapq.nlargest(1, [1])", "module 'heapq'", 1),
    ("def f():\n    from statistics import mean\n    return mean", "module 'statistics'", 2),
    ("from collections import abc", "module 'collections.abc'", 1),
    ("import xml.etree.ElementTree as ET", "module 'xml.etree.ElementTree'", 1),
    ("from urllib import parse", "module 'urllib.parse'", 1),
    ("import logging\nlogging.info('x')", "module 'logging'", 1),
    ("x = __import__('json')", "builtin '__import__'", 1),
    ("from datetime import UTC", "'datetime.UTC'", 1),
    ("import datetime\ndatetime.UTC", "'datetime.UTC'", 2),
    ("import sys\nif 1:\n    sys.exit(0)", "'sys.exit'", 3),
    ("import sys\nsys.stdout.write('x')", "'sys.stdout.write'", 2),
    ("import asyncio\nasyncio.create_task(f())", "'asyncio.create_task'", 2),
    ("import functools as ft\n@ft.wraps\ndef f(): pass", "'functools.wraps'", 2),
    ("callable(len)", "builtin 'callable'", 1),
    ("def f(dir): return dir\ndir([])", "builtin 'dir'", 2),
    ("raise ConnectionError('x')", "builtin 'ConnectionError'", 1),
    ("'a'.translate({})", "method 'translate' of str", 1),
    ("n = 5\nn.bit_length()", "method 'bit_length' of int", 2),
    ("b = b'a\\tb'\nb.expandtabs()", "method 'expandtabs' of bytes", 2),
    ("d = {}\nmax(d, key=d.get)", gap("method-value"), 2),
    ("sorted([], key=str.lower)", gap("type-method"), 1),
    ("getattr('a', 'upper')", gap("computed-attribute"), 1),
    ("def f(o, n): return getattr(o, n)", gap("computed-attribute"), 1),
    ("def f(): pass\nf.__name__", gap("dunder-attribute"), 2),
    ("try: 1/0\nexcept Exception as e: e.__cause__", gap("dunder-attribute"), 2),
    ("try: 1/0\nexcept OSError as e: e.errno", gap("exception-attribute"), 2),
    ("def f(key): raise KeyError(key)", gap("exception-arguments"), 1),
    ("raise ValueError('a', 1)", gap("exception-arguments"), 1),
    ("import json\njson.dumps([], default=str)", "argument 'default' of json.dumps", 2),
    ("import asyncio\nasyncio.gather(return_exceptions=True)", None, 2),
    ("x = next(n for n in [1])", gap("lazy-next"), 1),
    ("pairs = zip([1], [2])", gap("lazy-value"), 1),
    ("def f(): return map(str, [1])", gap("lazy-value"), 1),
    ("any(print(n) for n in [1])", gap("lazy-effects"), 1),
    ("any(lookup(n) for n in [1])", gap("lazy-effects"), 1),
    ("x = [1]\nfor i, n in enumerate(x):\n    x.append(i)", gap("lazy-effects"), 2),
    ("import itertools\nfor i, x in enumerate(itertools.count()): break", gap("lazy-endless"), 2),
    ("import re\nre.sub('a', lambda m: 'b', 'a')", gap("re-callable"), 2),
    ("'a'.encode('latin-1')", gap("encoding"), 1),
    ("def f(s): s |= {1}", gap("inplace-set"), 1),
    ("from datetime import datetime as D\nD.strptime('1', '%H')", gap("strptime-format"), 2),
    ("list(map(lookup, [1]))", gap("tool-callback"), 1),
    ("sorted([1], key=lambda n: lookup(n)['rank'])", gap("tool-callback"), 1),
    ("sorted([1], key=users.list)", gap("tool-callback"), 1),
    ("min([1], key=lambda n: users.list(n))", gap("tool-callback"), 1),
    ("x = [1]\nx.sort(key=lambda n: call_tool('lookup', {'n': n}))", gap("tool-callback"), 2),
    ("def rank(n): return lookup(n)\nsorted([1], key=rank)", gap("tool-callback"), 2),
    ("def a(n): return b(n)\ndef b(n): return lookup(n)\nmax([1], key=a)", gap("tool-callback"), 3),
    ("rank = lambda n: lookup(n)\nsorted([1], key=rank)", gap("tool-callback"), 2),
    (
        "class A:\n    def rank(self, n): return lookup(n)\nsorted([1], key=A().rank)",
        gap("tool-callback"),
        3,
    ),
    (
        "def each(f, xs): return list(map(f, xs))\neach(lookup, [1])",
        gap("tool-callback"),
        1,
    ),
    (
        "from functools import partial\nlist(map(partial(lookup, 1), [1]))",
        gap("tool-callback"),
        2,
    ),
    (
        "from collections import defaultdict\ndefaultdict(lambda: lookup(1))",
        gap("tool-callback"),
        2,
    ),
    ("class A:\n    def __eq__(self, o): return lookup(o)", gap("tool-special-method"), 2),
    ("sorted([1], key=lambda n: some_operation_of_the_host(n))", gap("tool-callback"), 1),
]


@pytest.mark.parametrize(("source", "what", "line"), MOVES)
def test_what_monty_lacks_moves_a_program(source: str, what: str | None, line: int) -> None:
    choice = decide(source)
    assert isinstance(choice, Choice)
    assert choice.engine == "cpython"
    if what is None:
        assert [reason.line for reason in choice.reasons] == [line]
    else:
        assert Reason(what, line) in choice.reasons


REFUSED = [
    ("import os\nos.listdir('.')", 1, "module 'os' is not available", "files"),
    ("x = 1\nimport os.path", 2, "module 'os' is not available", "posixpath"),
    ("from os import environ", 1, "module 'os'", "environment"),
    ("def f():\n    import socket", 2, "module 'socket'", "it opens network connections"),
    ("import json, subprocess", 1, "module 'subprocess'", "it starts processes"),
    ("import ctypes as c", 1, "module 'ctypes'", "it reaches native memory"),
    ("from threading import Thread", 1, "module 'threading'", "asyncio.gather"),
    ("import urllib.request", 1, "module 'urllib.request'", "network"),
    ("from urllib import request", 1, "module 'urllib.request'", "network"),
    ("import concurrent.futures", 1, "module 'concurrent.futures'", "threads"),
    ("import importlib", 1, "module 'importlib'", "code"),
    ("__import__('os').system('ls')", 1, "module 'os'", "processes"),
    ("name = 'o' + 's'\n__import__(name)", 2, "an import by a computed name", ""),
    ("import pickle", 1, "module 'pickle'", "arbitrary objects"),
    ("from zoneinfo import ZoneInfo", 1, "module 'zoneinfo'", "datetime.timezone"),
    ("import frobnicate", 1, "module 'frobnicate'", "it is not a standard module"),
    ("import mimetypes", 1, "module 'mimetypes'", "it opens files"),
    ("import stringprep", 1, "module 'stringprep'", "only compute"),
    ("import numpy as np", 1, "module 'numpy'", "CPython(packages=['numpy'])"),
    ("import sklearn.linear_model", 1, "module 'sklearn.linear_model'", "['sklearn']"),
    ("import requests", 1, "module 'requests'", "ask the host for a tool"),
    ("from . import helpers", 1, "module '.'", "a program is one file"),
    ("import sys\nsys.modules['os']", 2, "'sys.modules' is not available", "interpreter"),
    ("from sys import _getframe", 1, "'sys._getframe'", "interpreter"),
    ("import asyncio\nasyncio.create_subprocess_shell('ls')", 2, "create_subprocess_shell", ""),
    ("from asyncio import to_thread", 1, "'asyncio.to_thread'", "threads"),
    ("import uuid\nuuid.uuid1()", 2, "'uuid.uuid1'", ""),
    ("import io\nio.open('x')", 2, "'io.open'", "files"),
    ("try:\n    import socket\nexcept ImportError:\n    pass", 2, "module 'socket'", ""),
    ("x = breakpoint()", 1, "builtin 'breakpoint'", "terminal"),
    ("from pathlib import Path\nclass A(Exception): pass", 1, "monty engine only", "(line 2)"),
    ("from os.path import exists\nexists('/')", 1, "monty engine only", "os.path.exists"),
]


@pytest.mark.parametrize(("source", "line", "start", "hint"), REFUSED)
def test_refusals_name_line_and_reason(source: str, line: int, start: str, hint: str) -> None:
    refusal = decide(source)
    assert isinstance(refusal, Refusal)
    assert refusal.reasons[0].line == line
    assert refusal.message.startswith(f"line {line}: ")
    assert start in refusal.message
    assert hint in refusal.message


def test_a_refusal_names_everything_once() -> None:
    refusal = decide("import os\nimport json\nimport socket\nimport os")
    assert isinstance(refusal, Refusal)
    assert [reason.line for reason in refusal.reasons] == [1, 3, 4]
    assert refusal.message.count("module 'os'") == 1
    assert "line 3: module 'socket'" in refusal.message


def test_a_nameless_tool_is_asked_for_without_tools() -> None:
    with_tools = decide("input('name')")
    without = choose(ast.parse("input('name')"))
    assert with_tools == Choice("monty")
    assert isinstance(without, Refusal)


def test_reasons_stand_in_the_order_of_the_text() -> None:
    source = "import heapq\nx = callable(1)\nclass A(object):\n    pass\ny = callable(2)"
    assert lacking_in_monty(ast.parse(source)) == (
        Reason("module 'heapq'", 1),
        Reason("builtin 'callable'", 2),
        Reason(gap("class-inheritance"), 3),
        Reason("builtin 'callable'", 5),
    )


DEEP = {
    "attributes": "x" + ".a" * 900,
    "operators": "+".join("1" * 900),
    "conditions": "a if b else " * 800 + "c",
    "calls": "f(" * 90 + ")" * 90,
    "generators": "sum(" * 90 + "x for x in y" + ")" * 90,
    "functions": "\n".join(" " * i + f"def f{i}(a):" for i in range(95)) + "\n" + " " * 95 + "pass",
    "lambdas": "lambda a:" * 90 + "a",
    "names": "a" + " = b" * 3000,
}


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP.keys())
def test_depth_is_the_authors_choice(source: str) -> None:
    assert isinstance(decide(source), Choice)


def cost(copies: int) -> float:
    """Take the best of three, since the machine has other things to do."""
    body = "rows = [r for r in lookup(x) if r]\ndef f(a):\n    return a.get('k', [1])\n"
    tree = ast.parse("class A:\n    def m(self): return lookup(1)\n" + body * copies)
    times = []
    for _ in range(3):
        start = time.process_time()
        choose(tree, TOOLS)
        times.append(time.process_time() - start)
    return min(times)


def test_the_cost_is_linear() -> None:
    assert cost(2000) < 16 * cost(250) + 0.05
