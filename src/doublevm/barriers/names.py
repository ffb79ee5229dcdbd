"""Names: an operation's name must follow the grammar and be one the host has a handler for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from doublevm.barriers.patience import TooSlowError, for_ever
from doublevm.verdict import Deny

if TYPE_CHECKING:
    from collections.abc import Container

    from doublevm.barriers.patience import Patience
    from doublevm.policy import ParentValidation

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


def judge_patterns(
    name: str, validation: ParentValidation, patience: Patience | None = None
) -> Deny | None:
    """Deny what a block pattern is found in, and what the allow pattern does not match whole.

    The block list is in force even where names are not validated. Both fail closed: a block pattern
    may match anywhere in the name, the allow pattern has to match all of it. ``patience`` limits
    their time: with a catch-all handler a guest chooses the names, and some expressions take hours
    for some names.
    """
    if not validation.blocked_operation_patterns and validation.allowed_operation_pattern is None:
        return None
    try:
        denial = (patience or for_ever)(lambda: _search(name, validation))
    except TooSlowError:
        return Deny("names", "too_slow", "comparing its name with the patterns took too long")
    assert denial is None or isinstance(denial, Deny)
    return denial


def _search(name: str, validation: ParentValidation) -> Deny | None:
    for pattern in validation.blocked_operation_patterns:
        assert isinstance(pattern, re.Pattern)  # compiled at construction
        if pattern.search(name):
            return Deny("names", "blocked", "its name is blocked")
    allowed = validation.allowed_operation_pattern
    if not validation.validate_operation_names or allowed is None:
        return None
    assert isinstance(allowed, re.Pattern)
    if allowed.fullmatch(name):
        return None
    return Deny("names", "not_allowed", "its name is not one of the allowed ones")
