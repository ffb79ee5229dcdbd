"""Characters that nobody sees, or that reorder what is seen: the program is not what it looks like.

A reviewer who reads such a program, or a model that is shown it, reads another one than Python
does (CVE-2021-42574, "Trojan Source"). Where such a character is wanted in a text, an escape says
so visibly.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from doublevm.guard.findings import Finding, at_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RULE: Final = "invisible_characters"

_REORDERS: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Bidirectional controls: UAX #9, table 4."""
_MAY_BE_WANTED: Final = "\u200c\u200d\ufe00-\ufe0f"
"""Joiners, and selectors of one of the shapes that a character has."""
# The rest of what UAX #44 calls Default_Ignorable_Code_Point, the control characters that Python
# does not treat as blanks, and separators of lines that are none to Python.
_HIDDEN: Final = (
    "\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b"
    "\u2028\u2029\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SUSPECTS: Final = re.compile(f"[{_REORDERS}{_MAY_BE_WANTED}{_HIDDEN}]")
_REORDERING: Final = re.compile(f"[{_REORDERS}]")

_KEYS: Final = frozenset("0123456789#*")
"""What a keycap may show."""
_JOINED_SCRIPTS: Final = (("\u0600", "\u109f"), ("\u1780", "\u18af"))
"""Arabic to Myanmar, Khmer to Mongolian: scripts whose spelling needs joiners."""


def invisible(lines: Sequence[str]) -> Iterator[Finding]:
    """Yield the first such character of each line."""
    for number, line in enumerate(lines, 1):
        for suspect in _SUSPECTS.finditer(line):
            place = suspect.start()
            if not _is_wanted(line, place):
                yield _finding(number, place + 1, suspect[0], lines)
                break


def _finding(line: int, column: int, character: str, lines: Sequence[str]) -> Finding:
    code = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "a control character").lower()
    does = "reorders the text around it" if _REORDERING.match(character) else "cannot be seen"
    escape = ascii(character)[1:-1]
    advice = f"delete it; if a text needs it, write the escape {escape} there"
    return at_place(RULE, line, column, lines, f"{code} ({name}) {does}", advice)


def _is_wanted(line: str, place: int) -> bool:
    """Whether it is part of an emoji, or of a word whose spelling needs it."""
    character = line[place]
    before, after = line[place - 1 : place], line[place + 1 : place + 2]
    if "\ufe0e" <= character <= "\ufe0f":
        is_keycap = before in _KEYS and after == "\u20e3"
        return is_keycap or _is_one_of(before, "So", "Sk", "Sm", "Po")
    if character not in "\u200c\u200d" or not before or not after:
        return False
    if before == "\ufe0f" or _is_one_of(before, "So", "Sk"):
        return character == "\u200d" and _is_one_of(after, "So")
    return all(
        any(low <= each <= high for low, high in _JOINED_SCRIPTS) for each in (before, after)
    )


def _is_one_of(character: str, *categories: str) -> bool:
    return bool(character) and unicodedata.category(character) in categories
