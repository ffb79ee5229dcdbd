"""Programs for the reader of programs: random ones, and harmless ones disturbed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.guard.harmless_programs import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

_SPELT = """
( ) [ ] { } : , . ; = + - * / ** @ ~ < > != := -> ... \\ # if elif else for while try except finally
with as def class lambda return yield import from match case await async global del not and or in is
None True raise f'{x}' \'\'\'a\'\'\' b'c' 1 0x_ 1e999 x y eval getattr users __class__ f_back f'{ }'
{'__globals__'}
"""
_STRANGE = (
    "\n    ", "\n\t", "\r\n", "\r", "\x0c", "\0", "\x1b", "\u202e", "\u200b", "\ufeff", "é",
    "\u0430", "\uff45", "👨\u200d👩", "\ufe0f", "\U000e0041", "\ud800", "\u0661", " ", "\n", "\t",
)  # fmt: skip
WORDS: Final = (*_SPELT.split(), *_STRANGE)
"""Pieces of programs, and characters that are none."""


def sources(random: Random) -> Iterator[str]:
    """Yield a few programs."""
    for _ in range(random.randrange(1, 6)):
        kind = random.randrange(4)
        if kind == 0:
            yield " ".join(random.choices(WORDS, k=random.randrange(1, 60)))
        elif kind == 1:
            yield random.choice(WORDS) * random.choice((2, 90, 250, 3000))
        else:
            yield _disturbed(random, random.choice(ALL).source)


def _disturbed(random: Random, source: str) -> str:
    """Put something in, leave something out, or say something often, a few times."""
    for _ in range(random.randrange(4)):
        place = random.randrange(len(source) + 1)
        end = min(len(source), place + random.randrange(1, 40))
        piece = source[place:end]
        word = random.choice(WORDS)
        middle = random.choice(("", word, piece * 2, word + piece, piece * 150, word * 150))
        source = source[:place] + middle + source[end:]
    return source
