"""Names: an operation's name must follow the grammar and be one the host has a handler for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from doublevm.verdict import Deny

if TYPE_CHECKING:
    from collections.abc import Container

MAX_NAME: Final = 128

# ASCII only, so there is no second character that looks like one of these; \Z, not $, because $
# also matches before a final newline.
_GRAMMAR: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,128}\Z")


def is_name(name: str) -> bool:
    """Whether ``name`` follows the one grammar of operation names."""
    return _GRAMMAR.match(name) is not None


def judge_name(name: str, registered: Container[str], *, catch_all: bool) -> Deny | None:
    """Deny what is not a name, and what no handler is there for."""
    if not is_name(name):
        return Deny(
            "names",
            "grammar",
            f"a name has 1 to {MAX_NAME} of the characters A-Z a-z 0-9 _ . : / -",
        )
    if not catch_all and name not in registered:
        return Deny("names", "unregistered", "there is no such tool")
    return None
