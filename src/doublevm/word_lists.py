"""Sets of names written as plain text, so that a long table stays readable."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Split a block of text into a set of names."""
    return frozenset(text.split())
