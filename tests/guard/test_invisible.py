"""Invisible characters: what nobody sees, and what reorders the text around it."""

from __future__ import annotations

import pytest

from tests.guard.asking import asked, by_level, reading

RULE = "invisible_characters"

PASSES = [
    "print('plain')\n\tx = 1\x0c\r\n",
    "print('⚠️ 1️⃣ #️⃣ ✔️ ❤️ ‼️')",
    "'👨‍👩‍👧 👩🏽‍💻 🏳️‍🌈'",
    "'می‌خواهم'",
    "'क्‍ष'",
    "'Grüß Gott, Привет, こんにちは, مرحبا, שלום'",
    "'10 000 €'",
    r"'\u202e\u200b'",
    "größter = 1",
]

FINDS = [
    (
        "x = 1\nif who != 'user\u202e \u2066# admin\u2069':",
        2,
        16,
        "U+202E (right-to-left override)",
    ),
    ("# \u200fmark", 1, 3, "U+200F (right-to-left mark)"),
    ("a\u200b = 1", 1, 2, "U+200B (zero width space)"),
    ("\ufeffx = 1", 1, 1, "U+FEFF (zero width no-break space)"),
    ("x = 'a\u200db'", 1, 7, "U+200D (zero width joiner)"),
    ("x = '👨\u200da'", 1, 7, "U+200D (zero width joiner)"),
    ("x = '👨\u200c👩'", 1, 7, "U+200C (zero width non-joiner)"),
    ("'\u200d'", 1, 2, "U+200D (zero width joiner)"),
    ("'a\u200d", 1, 3, "U+200D (zero width joiner)"),
    ("a\ufe0f = 1", 1, 2, "U+FE0F (variation selector-16)"),
    ("'1\ufe0f'", 1, 3, "U+FE0F (variation selector-16)"),
    ("'⚠\ufe01'", 1, 3, "U+FE01 (variation selector-2)"),
    ("'\U000e0041'", 1, 2, "U+E0041 (tag latin capital letter a)"),
    ("'soft\u00adhyphen'", 1, 6, "U+00AD (soft hyphen)"),
    ("'\u3164'", 1, 2, "U+3164 (hangul filler)"),
    ("'\x1b[2J'", 1, 2, "U+001B (a control character)"),
    ("'back\x08'", 1, 6, "U+0008 (a control character)"),
    ("'\x85'", 1, 2, "U+0085 (a control character)"),
    ("'\u2028'", 1, 2, "U+2028 (line separator)"),
]


@pytest.mark.parametrize("program", PASSES)
def test_passes(program: str) -> None:
    assert [found for found in reading(program).refusing if found.rule == RULE] == []


@pytest.mark.parametrize(("program", "line", "column", "what"), FINDS)
def test_finds(program: str, line: int, column: int, what: str) -> None:
    found = [each for each in reading(program).refusing if each.rule == RULE]
    assert [(each.line, each.column) for each in found] == [(line, column)]
    assert found[0].message.startswith(what)
    character = program.split("\n")[line - 1][column - 1]
    does = "reorders the text around it" if character in "\u202e\u200f" else "cannot be seen"
    assert found[0].message.endswith(does)
    assert found[0].suggestion.endswith(f"the escape {ascii(character)[1:-1]} there")


def test_one_for_each_line() -> None:
    assert [found[:2] for found in asked(RULE, "'\u200b\u200b'\n'\u200b'")] == [(1, 2), (2, 2)]


def test_levels() -> None:
    assert by_level("'\u202e'") == {
        "STRICT": "refuse",
        "SECURE": "refuse",
        "STANDARD": "warn",
        "PERMISSIVE": "allow",
    }
