"""Limits that are looked at before the parser sees a program: sizes, and what it is slow with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from doublevm.guard.findings import Finding, at_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from doublevm.wire.guard_frames import Guarding

MOST_WORK_ON_F_STRINGS: Final = 2 * 10**9
"""Python up to 3.11 reads an f-string from its begin for each of its fields: 62 s for one of 1 MB
with 330,000 of them. This many (fields times bytes) take it half a second."""

_TOKENS: Final = re.compile(
    r"""
      \#[^\r\n]*
    | (?P<prefix>[A-Za-z]{0,3})
      (?P<body>
          \"\"\"(?:[^\\"]|\\.|\"(?!\"\"))*\"\"\"
        | '''(?:[^\\']|\\.|'(?!''))*'''
        | "(?:[^\\"\r\n]|\\(?:\r\n|.))*"
        | '(?:[^\\'\r\n]|\\(?:\r\n|.))*'
      )
    """,
    re.VERBOSE | re.DOTALL,
)
"""A comment or a literal text, as far as they can be told without parsing."""


def sizes(source: str, lines: Sequence[str], guarding: Guarding) -> Iterator[Finding]:
    """Yield what is larger than it may be."""
    size = len(source.encode("utf-8", "replace"))
    if size > guarding.max_source_bytes:
        message = f"the program has {size:,} bytes; {guarding.max_source_bytes:,} are accepted"
        yield at_place("max_source_bytes", 1, 1, lines, message, "pass data in with inputs=")
    most = guarding.max_line_length
    if len(source) <= most:
        return
    for number, line in enumerate(lines, 1):
        if len(line) > most:
            message = f"the line has {len(line):,} characters; {most:,} are accepted"
            yield at_place("max_line_length", number, most + 1, lines, message, "break it up")


def slow_to_parse(source: str, lines: Sequence[str]) -> Iterator[Finding]:
    """Yield what would keep the parser busy for longer than a run may take.

    The parser cannot be interrupted, so this has to be known before.
    """
    if source.count("{") * len(source) <= MOST_WORK_ON_F_STRINGS:
        return
    work = 0
    for token in _TOKENS.finditer(source):
        if "f" in (token["prefix"] or "").lower():
            work += token["body"].count("{") * len(token["body"])
        if work > MOST_WORK_ON_F_STRINGS:
            line = len(re.findall(r"\r\n|\r|\n", source[: token.start()])) + 1
            message = "the program's f-strings have too many fields for their length"
            yield at_place("syntax", line, 1, lines, message, "make texts in a loop, with join")
            return


def identifiers(source: str) -> Iterator[tuple[str, int]]:
    """Yield the words outside of comments and texts that are not plain ASCII, with their places.

    A place is the number of characters before it.
    """
    bare = _TOKENS.sub(lambda token: " " * len(token[0]), source)
    for word in _WORD.finditer(bare):
        if not word[0].isascii():
            yield word[0], word.start()


_WORD: Final = re.compile(r"[^\W\d]\w*")
