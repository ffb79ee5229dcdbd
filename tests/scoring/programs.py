"""Programs as data: where a rule finds something is marked in the text by ``▸``."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

from doublevm import tool
from doublevm.guard.scoring.features import Tools, features
from doublevm.guard.scoring.grade import signals

if TYPE_CHECKING:
    from doublevm.score import Features, Signal

MARK: Final = "▸"

NAMES: Final = (
    "users:list", "users:get", "users:get_all", "users:bulkUpdate", "users:target",
    "users:shipping", "orders:search", "orders:install", "files:read", "files:write", "mail:send",
    "mail:list", "http:fetch", "http:request", "notify", "summarize", "list_expenses",
    "dump_table", "charge", "login", "2fa:check",
)  # fmt: skip


def _anything(
    query: Any = None, limit: Any = None, fields: Any = None, text: Any = None, to: Any = None
) -> Any:
    """Stand for any tool; others than these parameters are not known."""


TOOLS: Final = Tools([tool(name=name)(_anything).spec for name in NAMES])


def features_of(source: str) -> Features:
    return features(source, ast.parse(source), TOOLS)


def signals_of(source: str) -> dict[str, Signal]:
    return {signal.rule: signal for signal in signals(features_of(source))}


def places(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """Return a program without its marks, and where they were: lines and columns from 1."""
    found = []
    lines = marked.split("\n")
    for number, line in enumerate(lines, 1):
        while MARK in lines[number - 1]:
            column = lines[number - 1].index(MARK)
            lines[number - 1] = lines[number - 1].replace(MARK, "", 1)
            found.append((number, column + 1))
        assert line.replace(MARK, "") == lines[number - 1]
    return "\n".join(lines), found


def check(rule: str, marked: str) -> None:
    """Assert that a rule finds something at the marks, and nowhere else."""
    source, expected = places(marked)
    signal = signals_of(source).get(rule)
    if not expected:
        assert signal is None, signal
        return
    assert signal is not None, "nothing was found"
    assert (signal.line, signal.column, signal.places) == (*expected[0], len(expected))
    assert signal.message
    assert "\n" not in signal.message
