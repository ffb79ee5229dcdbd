"""Dynamic code: ``eval`` and its like."""

from __future__ import annotations

import pytest

from tests.guard.asking import Found, asked

PASSES = [
    "import re\nre.compile('a')",
    "model.eval()",
    "ast.literal_eval('[1]')",
    "def compile(x): return x\ncompile(1)",
    "from mine import exec\nexec(1)",
    "__import__('json').dumps(1)",
    "'eval(x)'",
    "{'eval': 1}['eval']",
]


def runs(name: str) -> str:
    return f"'{name}' runs code that nobody has read"


FINDS: list[tuple[str, list[Found]]] = [
    (
        "x = 1\ny = eval('x')",
        [(2, 5, runs("eval"), "use ast.literal_eval for data, or write the expression out")],
    ),
    (
        "exec(code)",
        [
            (
                1,
                1,
                runs("exec"),
                "write the statements out, in a function if they differ by values",
            )
        ],
    ),
    ("f = compile", [(1, 5, runs("compile"), "write the code out")]),
    ("m = __import__(name)", [(1, 5, runs("__import__"), "use an import statement")]),
    ("m = map(__import__, ['os'])", [(1, 9, runs("__import__"), "use an import statement")]),
    (
        "eval('1'); exec('2')",
        [
            (1, 1, runs("eval"), "use ast.literal_eval for data, or write the expression out"),
            (
                1,
                12,
                runs("exec"),
                "write the statements out, in a function if they differ by values",
            ),
        ],
    ),
]


@pytest.mark.parametrize("program", PASSES)
def test_passes(program: str) -> None:
    assert asked("dynamic_code", program) == []


@pytest.mark.parametrize(("program", "expected"), FINDS)
def test_finds(program: str, expected: list[Found]) -> None:
    assert asked("dynamic_code", program) == expected
