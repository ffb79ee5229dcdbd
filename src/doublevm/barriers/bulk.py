"""Arguments that ask for everything: read by name and value, never as prose."""

from __future__ import annotations

import functools
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from doublevm.barriers.words import LONGEST_KEPT, words
from doublevm.shapes import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MUCH: Final = 1000
"""A limit of this many or more asks for very much."""

LIMIT_WORDS: Final = frozenset(("limit", "top", "take", "first"))
"""An argument of this one word limits how much is returned; ``credit_limit`` does not."""

LIMIT_NAMES: Final = frozenset(
    (
        ("page", "size"), ("per", "page"), ("batch", "size"), ("fetch", "size"), ("max", "rows"),
        ("max", "results"), ("max", "items"), ("max", "records"), ("max", "count"),
        ("num", "results"), ("num", "rows"), ("row", "limit"), ("result", "limit"),
        ("results", "limit"), ("item", "limit"), ("record", "limit"), ("page", "limit"),
        ("query", "limit"), ("fetch", "limit"), ("max", "limit"),
    )
)  # fmt: skip
"""And so does one whose last two words are these."""

NO_LIMIT_FLAGS: Final = frozenset(
    (
        ("no", "limit"), ("nolimit",), ("unlimited",), ("unbounded",), ("all",), ("everything",),
        ("fetch", "all"), ("get", "all"), ("include", "all"), ("return", "all"), ("select", "all"),
    )
)  # fmt: skip
"""Arguments that lift the limit when they are True."""

NO_LIMIT_VALUES: Final = frozenset(("all", "unlimited", "none", "infinity", "inf", "max"))
"""Texts that, given as a limit, lift it."""


# Named here, as `list | tuple` would be put together anew for each value that is looked at.
_MANY: Final = (list, tuple, set, frozenset)
_NUMBERS: Final = (int, float, Decimal)


def asks_for_everything(args: Mapping[str, Any]) -> str | None:
    """Return how the first such argument is called, e.g. ``limit=5000``, or None."""
    for name, value in _leaves(args):
        if isinstance(value, str) and "*" in value and value.strip() == "*":
            return f"{_shown(name)}='*'"
        match _role(name):
            case "flag" if value is True:
                return f"{_shown(name)}=True"
            case "limit" if _is_much(value):
                return f"{_shown(name)}={brief(value)}"
    return None


def _leaves(args: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Walk through nested containers; items of a list go by the list's name."""
    todo: list[tuple[str, Any]] = list(args.items())[::-1]
    while todo:
        name, value = todo.pop()
        if isinstance(value, dict):
            todo += [(_key(key), item) for key, item in value.items()][::-1]
        elif isinstance(value, _MANY):
            todo += [(name, item) for item in value]
        else:
            yield name, value


def _key(key: Any) -> str:
    return key if isinstance(key, str) else brief(key)


def _shown(name: str) -> str:
    """Return a guest's key as part of a line: short, and text that can be encoded."""
    return name[:40].encode("utf-8", "backslashreplace").decode()


def is_limit(name: str) -> bool:
    """Tell whether an argument of this name limits how much is returned."""
    return _role(name) == "limit"


def is_no_limit_flag(name: str) -> bool:
    """Tell whether an argument of this name lifts the limit when it is True."""
    return _role(name) == "flag"


def _role(name: str) -> str:
    """Return what an argument of this name may do: be a ``limit``, or a ``flag`` that lifts it."""
    return _kept_role(name) if len(name) <= LONGEST_KEPT else _find_role(name)


def _find_role(name: str) -> str:
    parts = words(name)
    if parts in NO_LIMIT_FLAGS:
        return "flag"
    one_word = len(parts) == 1 and parts[0] in LIMIT_WORDS
    return "limit" if one_word or parts[-2:] in LIMIT_NAMES else ""


_kept_role = functools.lru_cache(maxsize=4096)(_find_role)


def _is_much(value: Any) -> bool:
    if isinstance(value, str):
        text = value.strip().lower().replace(",", "").replace("_", "")
        digits = text.removeprefix("+").lstrip("0")
        much = digits.isdecimal() and int(digits[:20]) >= MUCH
        return much or text == "-1" or text in NO_LIMIT_VALUES
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        return False
    if isinstance(value, Decimal) and value.is_nan():  # it cannot be compared
        return False
    return value >= MUCH or value == -1 or (isinstance(value, float) and math.isinf(value))
