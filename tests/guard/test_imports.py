"""Imports: modules that are not on the list, and parts of listed ones that lead to others."""

from __future__ import annotations

import pytest

from doublevm.module_lists import HARMLESS_MODULES, REFUSED_MODULES, STRICT_MODULES
from tests.guard.asking import Found, around, asked, by_level

FILES = "'io.open' is not available to guest programs: it opens files"


def no(module: str, why: str) -> str:
    return f"module '{module}' is not available to guest programs: {why}"


PASSES = [
    "import math, json",
    "from collections import Counter, defaultdict as dd",
    "from collections.abc import Iterable",
    "from urllib.parse import quote",
    "from urllib import parse",
    "import asyncio",
    "from __future__ import annotations",
    "import numpy as np",
    "from pandas.core import frame",
    "try:\n    import polars\nexcept ImportError:\n    polars = None",
    "try:\n    import polars\nexcept (ValueError, ModuleNotFoundError):\n    polars = None",
    "try:\n    import polars\nexcept:\n    polars = None",
    "import typing\nif typing.TYPE_CHECKING:\n    import models",
    "__import__('math').sqrt(4)",
    "__import__(name)",
    "import sys\nsys.stdout.write('x')",
    "import io\nio.StringIO()",
    "modules = 1\nclass sys: modules = 2\nsys.modules",
]

FINDS: dict[str, tuple[str, list[Found]]] = {
    "with an alternative": (
        "import json, os",
        [
            (
                1,
                14,
                no("os", "it reaches files, processes and the environment"),
                "posixpath joins and splits paths",
            )
        ],
    ),
    "without one": (
        "x = 1\nimport subprocess as json",
        [(2, 8, no("subprocess", "it starts processes"), "")],
    ),
    "a submodule": (
        "def f():\n    from concurrent.futures import wait",
        [(2, 36, no("concurrent.futures", "it starts threads and processes"), "asyncio.gather is")],
    ),
    "some of several": (
        "from urllib import parse, request",
        [(1, 27, no("urllib.request", "it opens network connections"), "")],
    ),
    "a package": (
        "import requests",
        [(1, 8, no("requests", "it reaches the network"), "ask the host for a tool that does")],
    ),
    "a package that computes": (
        "import sympy",
        [
            (
                1,
                8,
                no(
                    "sympy",
                    "packages must be provided by the host, as in CPython(packages=['sympy'])",
                ),
                "",
            )
        ],
    ),
    "nobody knows it": (
        "import helpers",
        [(1, 8, no("helpers", "it is not a standard module"), "packages must be provided by")],
    ),
    "its neighbour": ("from . import x", [(1, 15, no(".", "a program is one file"), "")]),
    "a standard module on no list": (
        "import antigravity",
        [(1, 8, no("antigravity", "it is not on the list of modules that only compute"), "")],
    ),
    "refused although expected": (
        "try:\n    import socket\nexcept ImportError:\n    pass",
        [(2, 12, no("socket", "it opens network connections"), "")],
    ),
    "expected by the wrong handler": (
        "try:\n    import polars\nexcept ValueError:\n    pass",
        [(2, 12, no("polars", "packages must be provided by the host, as"), "")],
    ),
    "by name": (
        "y = __import__('ctypes')",
        [(1, 5, no("ctypes", "it reaches native memory"), "")],
    ),
    "a part": ("from io import open", [(1, 16, FILES, "")]),
    "a part by attribute": ("import io as i\nx = i.open", [(2, 5, FILES, "")]),
    "all at once": (
        "import os\nimport pickle",
        [
            (
                1,
                8,
                no("os", "it reaches files, processes and the environment"),
                "posixpath joins",
            ),
            (2, 8, no("pickle", "it builds arbitrary objects from bytes"), ""),
        ],
    ),
}


@pytest.mark.parametrize("program", PASSES)
def test_passes(program: str) -> None:
    assert asked("imports", program, around(packages=frozenset(("numpy", "pandas")))) == []


@pytest.mark.parametrize("name", FINDS)
def test_finds(name: str) -> None:
    program, expected = FINDS[name]
    found = asked("imports", program)
    assert [each[:2] for each in found] == [each[:2] for each in expected]
    for (_, _, message, advice), (_, _, whole, begin) in zip(found, expected, strict=True):
        assert message.startswith(whole)
        assert advice.startswith(begin)
        assert bool(advice) is bool(begin)


@pytest.mark.parametrize("module", sorted(REFUSED_MODULES))
def test_every_refused_module_is_found(module: str) -> None:
    assert asked("imports", f"import {module}")


@pytest.mark.parametrize("module", sorted(HARMLESS_MODULES))
def test_every_harmless_module_passes(module: str) -> None:
    assert asked("imports", f"import {module}") == []


def test_the_list_of_a_level_is_shorter() -> None:
    assert STRICT_MODULES < HARMLESS_MODULES
    strict = around(modules=STRICT_MODULES)
    assert asked("imports", "import sys", strict) == [
        (1, 8, no("sys", "it is not on the list of the security level"), "")
    ]


def test_a_list_of_ones_own_allows_what_is_refused() -> None:
    own = around(modules=frozenset(("io", "io.open", "os")))
    assert asked("imports", "import os\nfrom io import open", own) == []
    assert asked("imports", "import math", own)


def test_levels() -> None:
    assert by_level("import os") == {
        "STRICT": "refuse",
        "SECURE": "refuse",
        "STANDARD": "warn",
        "PERMISSIVE": "allow",
    }
