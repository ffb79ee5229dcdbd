"""Every option of the double VM, the pool and the guard has a heading of its own on some page."""

from __future__ import annotations

import dataclasses
import re

import pytest

from doublevm import (
    Analyzer,
    DoubleVM,
    Guard,
    GuardRule,
    HttpScorer,
    ParentValidation,
    ScoringGate,
    SecurityLevel,
    SuspiciousPattern,
)
from doublevm.pool_limits import PoolLimits
from tests.docs.pages import PAGES, ROOT

HEADINGS = {
    heading
    for page in PAGES
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
}

KINDS = (
    DoubleVM,
    ParentValidation,
    SuspiciousPattern,
    PoolLimits,
    Guard,
    GuardRule,
    ScoringGate,
    Analyzer,
    HttpScorer,
)
OPTIONS = [field.name for kind in KINDS for field in dataclasses.fields(kind)]


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_has_a_heading(option: str) -> None:
    assert option in HEADINGS


@pytest.mark.parametrize("field", dataclasses.fields(PoolLimits), ids=lambda field: field.name)
def test_the_pools_table_says_what_the_levels_say(field: dataclasses.Field[object]) -> None:
    page = (ROOT / "docs" / "pool.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| {field.name}\b(, MiB)?.*? \| (.+) \|$", page, re.MULTILINE)
    assert row
    unit = 2**20 if row[1] else 1
    found = [float(cell) * unit for cell in row[2].split(" | ")]
    assert found == [getattr(level.settings.pool, field.name) for level in SecurityLevel]
