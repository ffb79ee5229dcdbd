"""TOML written in every way that TOML allows, with the line of everything in it."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from doublevm.host.policy_file.lines import Path

Draw = Any

KEYS = st.sampled_from(["a", "b", "key", "1", "-"]) | st.text(
    "ab.= #[]{}'\"\\\n\té\x7f", max_size=5
)
TEXTS = st.sampled_from(
    ["", "a = 1\nb = 2\n[c]\n", "# not a comment", "'''", '"""', "x''", 'x""', "\\", "}],", "\r\n"]
) | st.text(max_size=8)
PLAIN = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    TEXTS,
    st.datetimes(min_value=dt.datetime(1, 1, 1), max_value=dt.datetime(9999, 1, 1)),  # noqa: DTZ001
    st.dates(),
    st.times(),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.lists(st.dictionaries(KEYS, inner, max_size=2), min_size=1, max_size=3)
    ),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=5)

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
FILLERS = ["", "\n", "# key = 1\n", "\n  # [a]\n\n", "\t"]


class Writer:
    """A document as it grows."""

    def __init__(self, draw: Draw) -> None:
        self.text = ""
        self.lines: dict[Path, int] = {}
        self._draw = draw

    def document(self, tree: dict[str, Any]) -> None:
        self._body(tree, (), nested=False)

    # ── tables ────────────────────────────────────────────────────────────────────────────

    def _body(self, tree: dict[str, Any], path: Path, *, nested: bool) -> None:
        """Write a table's pairs, and then the tables in it that get headers."""
        later = {}
        for key, value in tree.items():
            if _may_have_header(value) and self._coin():
                later[key] = value
            else:
                self._entry(key, value, path)
        for key, value in later.items():
            if isinstance(value, dict):
                self._table(value, (*path, key), nested=nested)
            else:
                self._array_of_tables(value, (*path, key))

    def _table(self, tree: dict[str, Any], path: Path, *, nested: bool) -> None:
        inner = {k: v for k, v in tree.items() if isinstance(v, dict) and v}
        if inner and inner == tree and self._coin():  # it needs no header of its own
            for key, value in inner.items():
                self._table(value, (*path, key), nested=nested)
            return
        late = {}
        if not nested and self._coin():  # tables in it may come before it
            late = inner
            for key, value in inner.items():
                self._table(value, (*path, key), nested=nested)
        self._header(path, "[", "]")
        rest = {k: v for k, v in tree.items() if k not in late}
        self._body(rest, path, nested=nested)

    def _array_of_tables(self, tables: list[dict[str, Any]], path: Path) -> None:
        for number, tree in enumerate(tables):
            self._header((*path, number), "[[", "]]")
            self._body(tree, (*path, number), nested=True)

    def _header(self, path: Path, opening: str, closing: str) -> None:
        self._fill()
        self.text += opening
        for depth in range(1, len(path) + 1):
            self.lines.setdefault(path[:depth], self._line)
        self.lines[path] = self._line
        names = [part for part in path if isinstance(part, str)]
        self.text += self._blank() + self._joined(names) + self._blank() + closing
        self._end_of_line()

    def _entry(self, key: str, value: Any, path: Path) -> None:
        self._fill()
        self._pair(key, value, path, (), multiline=True)
        self._end_of_line()

    def _pair(
        self, key: str, value: Any, path: Path, above: tuple[str, ...], *, multiline: bool
    ) -> None:
        """Write a pair, or each pair of a table in it with a dotted key."""
        here = (*path, key)
        self.lines.setdefault(here, self._line)
        if isinstance(value, dict) and value and self._coin():
            for number, (inner, each) in enumerate(value.items()):
                if number:
                    self._next_pair(multiline=multiline)
                self._pair(inner, each, here, (*above, key), multiline=multiline)
            return
        self.text += f"{self._joined([*above, key])}{self._blank()}={self._blank()}"
        self._value(value, here)

    def _next_pair(self, *, multiline: bool) -> None:
        if multiline:
            self._end_of_line()
            self._fill()
        else:
            self.text += f",{self._blank()}"

    # ── values ────────────────────────────────────────────────────────────────────────────

    def _value(self, value: Any, path: Path) -> None:
        match value:
            case dict():
                self.text += "{" + self._blank()
                for number, (key, each) in enumerate(value.items()):
                    if number:
                        self._next_pair(multiline=False)
                    self._pair(key, each, path, (), multiline=False)
                self.text += self._blank() + "}"
            case list():
                self._list(value, path)
            case str():
                self.text += self._draw(st.sampled_from(list(_strings(value))))
            case bool():
                self.text += str(value).lower()
            case float() if math.isinf(value):
                self.text += "inf" if value > 0 else "-inf"
            case dt.datetime() | dt.date() | dt.time():
                self.text += value.isoformat()
            case _:
                self.text += repr(value)

    def _list(self, items: list[Any], path: Path) -> None:
        self.text += "["
        for number, item in enumerate(items):
            self._fill()
            self.lines[*path, number] = self._line
            self._value(item, (*path, number))
            self._fill()
            if number < len(items) - 1 or self._coin():
                self.text += ","
        self._fill()
        self.text += "]"

    # ── what changes nothing ──────────────────────────────────────────────────────────────

    @property
    def _line(self) -> int:
        return self.text.count("\n") + 1

    def _coin(self) -> bool:
        answer: bool = self._draw(st.booleans())
        return answer

    def _fill(self) -> None:
        self.text += self._draw(st.sampled_from(FILLERS))

    def _blank(self) -> str:
        blank: str = self._draw(st.sampled_from(["", " ", "\t "]))
        return blank

    def _end_of_line(self) -> None:
        self.text += self._draw(st.sampled_from(["\n", "  # a comment = 'x\n", "\n\n"]))

    def _joined(self, names: list[str]) -> str:
        dot = f"{self._blank()}.{self._blank()}"
        return dot.join(self._key(name) for name in names)

    def _key(self, name: str) -> str:
        ways = [_basic(name)]
        if _BARE.match(name):
            ways.append(name)
        if not _CONTROL.search(name) and "'" not in name:
            ways.append(f"'{name}'")
        key: str = self._draw(st.sampled_from(ways))
        return key


def _may_have_header(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) for item in value)
    return isinstance(value, dict)


def _basic(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _strings(text: str) -> list[str]:
    ways = [_basic(text)]
    if not _CONTROL.search(text) and "'" not in text:
        ways.append(f"'{text}'")
    if not _CONTROL_BUT_NEWLINE.search(text) and "'''" not in text and not text.endswith("'" * 3):
        ways.append(f"'''\n{text}'''")
    escaped = _basic(text)[1:-1].replace("\\n", "\n").replace('\\"', '"')
    if "\\" not in text and '"""' not in escaped:
        ways.append(f'"""\n{escaped}"""')
    return ways
