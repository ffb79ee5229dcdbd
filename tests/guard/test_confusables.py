"""Confusables: names that look like others."""

from __future__ import annotations

import unicodedata

import pytest

from doublevm.guard.lookalikes import DECEPTIVE_GREEK, LOOKALIKES
from tests.guard.asking import Found, around, asked

TOOLS = around("send_mail", "copy", inputs=frozenset(("scope",)))

PASSES = [
    "payment = 1",
    "größter, straße, naïve, señor = 1, 2, 3, 4",
    "данные = 1\nprint(данные)",
    "df_итог = 1",
    "Δt, σ_max, μg, αβ = 1, 2, 3, 4",
    "µ = 1",
    "名前 = 1\nテスト値 = 2\n데이터set = 3",
    "x = 'раypal'  # раypal",
    'x = """раypal"""',
    "e\u0301 = 1",
    "ж1 = 1",
    "שלום = 1",
]

MIXES = "mixes letters that look alike: "
ONE = "use one alphabet"

FINDS: list[tuple[str, list[Found]]] = [
    (
        "x = 1\n  # y\npаyment = 2",
        [(3, 1, f"the name 'pаyment' {MIXES}Latin and Cyrillic", ONE)],
    ),
    (
        "def f():\r\n    r.usеr",
        [(2, 7, f"the name 'usеr' {MIXES}Latin and Cyrillic", ONE)],
    ),
    ("Αx = 1", [(1, 1, f"the name 'Αx' {MIXES}Greek and Latin", ONE)]),
    ("аռ = 1", [(1, 1, f"the name 'аռ' {MIXES}Cyrillic and Armenian", ONE)]),
    ("ｅval('1')", [(1, 1, "Python reads the name 'ｅval' as 'eval'", "write eval")]),
    ("x.𝐠𝐥𝐨", [(1, 3, "Python reads the name '𝐠𝐥𝐨' as 'glo'", "write glo")]),
    ("ﬁle = 1", [(1, 1, "Python reads the name 'ﬁle' as 'file'", "write file")]),
    ("сору(1)", [(1, 1, "the name 'сору' looks like 'copy' and is another", "write copy")]),
    (
        "x = 's'\nеvаl(x)",
        [(2, 1, "the name 'еvаl' looks like 'eval' and is another", "write eval")],
    ),
    (
        "а = 1\na = 2\nа + a",
        [(1, 1, "the name 'а' looks like 'a' and is another", "write a")],
    ),
    ("ѕсоре = 1", [(1, 1, "the name 'ѕсоре' looks like 'scope' and is another", "write scope")]),
    (
        "x.аge\ny.age",
        [(1, 3, "the name 'аge' looks like 'age' and is another", "write age")],
    ),
]


@pytest.mark.parametrize("program", PASSES)
def test_passes(program: str) -> None:
    assert asked("confusables", program, TOOLS) == []


@pytest.mark.parametrize(("program", "expected"), FINDS)
def test_finds(program: str, expected: list[Found]) -> None:
    assert asked("confusables", program, TOOLS) == expected


@pytest.mark.parametrize("letter", list(map(chr, LOOKALIKES)))
def test_every_lookalike_is_found(letter: str) -> None:
    alike = letter.translate(LOOKALIKES)
    assert alike.isascii()
    assert letter == unicodedata.normalize("NFKC", letter), "Python tells the two apart"
    assert asked("confusables", f"{alike}{alike} = 1\n{letter}{alike} = 2")[0][:2] == (2, 1)


def test_deceptive_letters_are_lookalikes_from_greek() -> None:
    assert all(ord(letter) in LOOKALIKES for letter in DECEPTIVE_GREEK)
    assert all(unicodedata.name(letter).startswith("GREEK") for letter in DECEPTIVE_GREEK)
