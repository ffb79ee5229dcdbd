"""A module that ``rules`` uses in turn."""

from __future__ import annotations

MOST = 100


def above(amount: int) -> bool:
    return amount > MOST
