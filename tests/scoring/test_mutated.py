"""Whatever parses is graded: harmless programs, cut up and put together at random."""

from __future__ import annotations

import ast
import random

import pytest

from doublevm import tool
from doublevm.guard.scoring.features import Tools, TooMuchError, features, sendable
from doublevm.guard.scoring.grade import signals, total
from doublevm.score import Features, Graded
from doublevm.wire import frames as f
from doublevm.wire.frames import encode_frame
from tests.guard.harmless_programs import ALL, OVER_TOOLS

ROUNDS = 3000


def _anything() -> None:
    """Stand for any tool."""


TOOLS = Tools(
    tool(name=name)(_anything).spec
    for name in sorted({name for program in OVER_TOOLS for name in program.tools})
)


def mutated(dice: random.Random) -> str:
    """Return lines of some programs, in some order, with some words exchanged."""
    lines = [line for program in dice.sample(ALL, 3) for line in program.source.split("\n")]
    start = dice.randrange(len(lines))
    taken = lines[start : start + dice.randrange(1, 40)]
    for _ in range(dice.randrange(6)):
        place = dice.randrange(len(taken))
        words = taken[place].split(" ")
        words[dice.randrange(len(words))] = dice.choice(dice.choice(lines).split(" "))
        taken[place] = " ".join(words)
    return "\n".join(taken)


def graded(source: str, tree: ast.Module) -> Graded:
    found = features(source, tree, TOOLS)
    return Graded(signals(found), features=sendable(found))


def test_whatever_parses_is_graded_and_can_be_told() -> None:
    dice = random.Random(6)  # noqa: S311 - the same programs each time
    parsed = 0
    for _ in range(ROUNDS):
        source = mutated(dice)
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            continue
        parsed += 1
        frame = f.Scored(1, graded(source, tree))
        assert f.decode_parent_frame(encode_frame(frame)) == frame, source
        assert 0 <= total(frame.graded.signals) <= 100
    assert parsed > ROUNDS / 10


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n" + "x = [x, x, x, x]\n" * 300 + "users.list(x)",
        "x = users.list()\n" + "x = {'a': x, **x}\n" * 300 + "mail.send(x)",
        "while x:\n" + "".join(" " * i + "for x in x:\n" for i in range(1, 19)) + " " * 19 + "x",
        "def f(a):\n    return f(f(f(a)))\nf(users.list())",
        "".join(f"def f{i}(a):\n    return f{i + 1}(f{i + 1}(a))\n" for i in range(200)) + "f0(1)",
        "\n".join(f"def f{i}(a, b=f{i - 1}): return b(a)" for i in range(1, 300)) + "\nf299(1)",
        "x = (lambda y: (lambda z: y(z)))(lambda w: w)\nx(x)(x)",
        "users.list(limit=" + " ** ".join(["9"] * 50) + ")",
        "users.list(limit=" + " * ".join(["9" * 4000] * 50) + ")",
        "users.list(query=" + " + ".join(["'a' * 99999999"] * 50) + ")",
        "if x:\n    y = users.list()\nelse:\n    y = 1\n" * 500 + "mail.send(y)",
    ],
    ids=lambda source: source[:20],
)
def test_programs_that_would_like_to_take_long(source: str) -> None:
    """They end: the suite's own timeout would say so otherwise."""
    assert isinstance(graded(source, ast.parse(source)).features, Features)


def test_a_program_with_very_many_functions_is_too_much() -> None:
    source = "\n".join(f"def f{i}(a, b, c, d, e): pass" for i in range(2_001))
    with pytest.raises(TooMuchError):
        features(source, ast.parse(source), TOOLS)
