"""The page on levels says what the levels are."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from doublevm.levels import SecurityLevel
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "security" / "levels.md").read_text(encoding="utf-8")
ROWS: dict[str, list[str]] = {
    name: cells.split(" | ")
    for name, cells in re.findall(r"^\| ([\w ,]+?) \| (.+) \|$", PAGE, re.MULTILINE)
}
UNITS = {"MiB": 2**20, "KiB": 2**10}


def said(row: str, cell: str) -> str:
    """Return a cell without its unit's prefix, as Python writes the value."""
    unit = UNITS.get(row.partition(", ")[2])
    return str(int(cell.replace(",", "")) * unit) if unit else cell.replace(",", "")


def expected() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for level in SecurityLevel:
        settings = level.settings
        for part in (settings.limits, settings.guard):
            for field in fields(part):
                if field.name not in {"rules", "allowed_modules"}:
                    found.setdefault(field.name, []).append(str(getattr(part, field.name)))
        for name in ("auto_may_use_cpython", "full_traceback", "frozen_clocks"):
            found.setdefault(name, []).append(str(getattr(settings, name)))
        for engine, rung in settings.weakest.items():
            found.setdefault(f"weakest confinement, {engine}", []).append(rung.label)
    return found


def test_every_setting_has_a_row() -> None:
    rows = {name if name.startswith("weakest") else name.partition(", ")[0] for name in ROWS}
    assert rows == expected().keys()


@pytest.mark.parametrize("row", ROWS)
def test_a_row_says_what_the_levels_say(row: str) -> None:
    name = row if row.startswith("weakest") else row.partition(", ")[0]
    assert [said(row, cell) for cell in ROWS[row]] == expected()[name]
