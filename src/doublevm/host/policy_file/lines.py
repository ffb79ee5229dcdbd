"""Where the keys and items of a TOML text are, which tomllib does not say.

tomllib has accepted the text before: so nothing is checked here, and what is not a key, a bracket
or a value can only be blank or a comment. Values are passed over, never read.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
"""Where a value is: names of tables and keys, numbers of items from 0."""

_NOTHING: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PART: Final = re.compile(
    r"""
    [ \t]* ( "(?:\\.|[^"\\])*" | '[^']*' | [A-Za-z0-9_-]+ ) [ \t]* (\.?)
    """,
    re.VERBOSE,
)
# A text of several lines may end with one or two quotes more: they belong to it.
_SCALAR: Final = re.compile(
    r'''
    """ (?:\\.|[^\\])*? """ "{0,2}  |  \'\'\' .*? \'\'\' \'{0,2}
    |  " (?:\\.|[^"\\])* "  |  \' [^\']* \'
    |  [^,\]}\#\r\n]+
    ''',
    re.VERBOSE | re.DOTALL,
)


def lines_of(text: str) -> dict[Path, int]:
    """Return the line of every table, key and item of a text that tomllib accepts, from 1.

    A table's is that of its header or, where it has none, that of the first key in it.
    """
    return _Scanner(text).scan()


class _Scanner:
    """A place in the text, and what has been found before it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}
        """How many tables each array of tables has so far."""

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        while self._next():
            if self._passes("[["):
                table = self._table_of_array()
                self._at += 2
            elif self._passes("["):
                table = self._table()
                self._at += 1
            else:
                self._pair(table)
        return self._lines

    def _table(self) -> Path:
        line, path = self._line(), self._way_to(tuple(self._key()))
        self._lines[path] = line
        return path

    def _table_of_array(self) -> Path:
        line, (*way, last) = self._line(), self._key()
        array = (*self._way_to(tuple(way)), last)
        self._lines.setdefault(array, line)
        number = self._counts.get(array, 0)
        self._counts[array] = number + 1
        self._lines[*array, number] = line
        return (*array, number)

    def _way_to(self, parts: tuple[str, ...]) -> Path:
        """Return the path that a header's key means: through arrays, to their last tables."""
        path: Path = ()
        for part in parts:
            path = (*path, part)
            self._lines.setdefault(path, self._line())
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        line, path = self._line(), table
        for part in self._key():
            path = (*path, part)
            self._lines.setdefault(path, line)
        self._at += 1  # the equals sign
        self._next()  # blanks: in a text that was accepted, the value is on this line
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._passes("["):
            number = 0
            while not self._ends_with("]"):
                self._lines[*path, number] = self._line()
                self._value((*path, number))
                number += 1
        elif self._passes("{"):
            while not self._ends_with("}"):
                self._pair(path)
        else:
            self._at = self._match(_SCALAR).end()

    def _ends_with(self, bracket: str) -> bool:
        """Pass what separates two values, and the bracket if there are no more of them."""
        self._next()
        if self._passes(","):
            self._next()
        return self._passes(bracket)

    def _key(self) -> Iterator[str]:
        dot = "."
        while dot:
            match = self._match(_PART)
            self._at = match.end()
            part, dot = match.groups()
            yield _unquoted(part)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        assert match, "tomllib has accepted what is none of its values"
        return match

    def _next(self) -> bool:
        """Pass blanks, line ends and comments; say whether anything follows."""
        match = _NOTHING.match(self._text, self._at)
        assert match
        self._at = match.end()
        return self._at < len(self._text)

    def _passes(self, what: str) -> bool:
        if not self._text.startswith(what, self._at):
            return False
        self._at += len(what)
        return True

    def _line(self) -> int:
        return bisect_left(self._ends, self._at) + 1


def _unquoted(part: str) -> str:
    if part.startswith("'"):
        return part[1:-1]
    if part.startswith('"'):
        name: str = tomllib.loads(f"it = {part}")["it"]  # it knows what escapes mean
        return name
    return part
