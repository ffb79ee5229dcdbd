"""Names that look like others, so that a program calls something else than one reads.

Three questions of a name that is not plain ASCII: does Python take its letters for others, are
scripts mixed within a word, and is there another name that looks the same.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import unicodedata
from typing import TYPE_CHECKING, Final

from doublevm.guard.findings import Finding, at_place
from doublevm.guard.lookalikes import DECEPTIVE_GREEK, LOOKALIKES
from doublevm.guard.text import identifiers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.program import Program

RULE: Final = "confusables"

_KNOWN: Final = frozenset(dir(builtins)) | frozenset(keyword.kwlist)
_JAPANESE_OR_KOREAN: Final = frozenset(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"))
_MICRO: Final = "\u00b5"
"""The micro sign is on keyboards, and to Python the Greek letter it looks like."""


def confusables(program: Program) -> Iterator[Finding]:
    """Yield every name that is not what it looks like."""
    if program.source.isascii():
        return
    names = frozenset(_names(program))
    plain = names | _KNOWN | program.around.roots | program.around.inputs
    seen: set[str] = set()
    for word, start in identifiers(program.source):
        found = None if word in seen else _problem(word, plain)
        seen.add(word)
        if found:
            yield _finding(program, start, *found)


def _finding(program: Program, start: int, message: str, suggestion: str) -> Finding:
    # A line may end in three ways; those of the program are cut at all of them.
    before = program.source[:start].replace("\r\n", "\n").replace("\r", "\n")
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return at_place(RULE, line, column, program.lines, message, suggestion)


def _problem(word: str, names: frozenset[str]) -> tuple[str, str] | None:
    """Return what is wrong with a name, and what to write instead."""
    read = unicodedata.normalize("NFKC", word)
    if read != unicodedata.normalize("NFC", word) and _MICRO not in word:
        return f"Python reads the name {word!r} as {read!r}", f"write {read}"
    skeleton = read.translate(LOOKALIKES)
    if skeleton != read and skeleton in names:
        return f"the name {word!r} looks like {skeleton!r} and is another", f"write {skeleton}"
    mixed = next(filter(None, map(_mixed, read.split("_"))), "")
    if mixed:
        return f"the name {word!r} mixes letters that look alike: {mixed}", "use one alphabet"
    return None


def _mixed(word: str) -> str:
    """Return the scripts that are mixed within a word, or nothing if that can be told."""
    scripts = {script: None for letter in word if (script := _script(letter))}
    if len(scripts) <= 1 or scripts.keys() <= _JAPANESE_OR_KOREAN | {"LATIN"}:
        return ""
    if scripts.keys() == {"GREEK", "LATIN"} and not DECEPTIVE_GREEK.intersection(word):
        return ""
    return " and ".join(script.capitalize() for script in scripts)


def _script(letter: str) -> str:
    """Return a letter's script; nothing for digits and for marks, which any script may have."""
    if not letter.isalpha():
        return ""
    return unicodedata.name(letter, "").partition(" ")[0]


def _names(program: Program) -> Iterator[str]:
    """Yield the names that the program speaks of, as Python reads them."""
    survey = program.survey
    yield from survey.bound
    yield from (name.id for name in survey.of(ast.Name))
    yield from (attribute.attr for attribute in survey.of(ast.Attribute))
