"""SENSITIVE_FIELD: passwords, tokens, card numbers and the like are asked for or read.

Catches ``users.list(fields=["name", "password"])``, ``row["ssn"]`` where ``row`` came from a tool,
and ``login(password=p)``. Words count, not substrings: ``shipping`` is not pin. Misses secrets in
fields with harmless names. Alarms at a search for text about passwords, and at names that mean
something else (``token`` of a lexer) where they are given to a tool.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from doublevm.barriers.sequence import is_credential
from doublevm.barriers.words import words
from doublevm.guard.scoring.rules.hit import arguments, at, called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.scoring.rules.hit import Hit
    from doublevm.score import Features

SENSITIVE: Final = frozenset(
    ("pwd", "passphrase", "passcode", "pin", "ssn", "cvv", "cvc", "iban", "passport", "biometric")
)
"""Words of fields that nobody should see, besides those of credentials."""

SENSITIVE_PAIRS: Final = frozenset(
    (
        ("card", "number"), ("credit", "card"), ("account", "number"), ("routing", "number"),
        ("social", "security"), ("date", "birth"), ("birth", "date"), ("tax", "id"),
        ("security", "answer"), ("recovery", "code"), ("backup", "codes"),
    )
)  # fmt: skip
"""The same, of two words."""

HARMLESS_PAIRS: Final = frozenset(
    (
        ("page", "token"), ("next", "token"), ("continuation", "token"), ("sync", "token"),
        ("start", "token"), ("max", "tokens"), ("num", "tokens"), ("total", "tokens"),
        ("input", "tokens"), ("output", "tokens"), ("prompt", "tokens"), ("completion", "tokens"),
        ("token", "count"), ("token", "limit"), ("tokens", "used"),
    )
)  # fmt: skip
"""Two words that are not what one of them alone would be: pages, and what a model is billed by."""

QUERIES: Final = frozenset(
    ("query", "sql", "statement", "filter", "filters", "where", "fields", "field", "columns",
     "column", "select", "expression")
)  # fmt: skip
"""Words of arguments whose texts speak of fields; elsewhere, only a text that is one name does."""


def find(features: Features) -> Iterator[Hit]:
    """Yield the places where sensitive fields are named."""
    for call, argument in arguments(features):
        if _is_sensitive(argument.name):
            message = f"{called(call)} is given {argument.name[:80]!r}, a sensitive field"
            yield at(argument, message)
        elif argument.kind == "text" and _speaks_of_fields(argument.name, str(argument.value)):
            message = f"{called(call)} is asked for {str(argument.value)[:80]!r}: a sensitive field"
            yield at(argument, message)
    for field in features.fields:
        if _is_sensitive(field.name):
            yield at(field, f"the sensitive field {field.name[:80]!r} is read of a tool's result")


def _speaks_of_fields(name: str, text: str) -> bool:
    one_name = not any(character.isspace() for character in text.strip())
    return (one_name or not QUERIES.isdisjoint(words(name))) and _is_sensitive(text)


def _is_sensitive(name: str) -> bool:
    parts = words(name)
    if is_credential(parts) or not SENSITIVE.isdisjoint(parts):
        return not (len(parts) > 1 and _is_harmless(parts))
    return any(pair in SENSITIVE_PAIRS for pair in pairwise(parts))


def _is_harmless(parts: tuple[str, ...]) -> bool:
    """Whether what is left without harmless pairs is harmless."""
    left = list(parts)
    for first, second in pairwise(parts):
        if (first, second) in HARMLESS_PAIRS:
            left = [part for part in left if part not in (first, second)]
    return left != list(parts) and not is_credential(tuple(left)) and SENSITIVE.isdisjoint(left)
