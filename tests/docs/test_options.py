"""Every option of the double VM has a heading of its own on some page."""

from __future__ import annotations

import dataclasses
import re

import pytest

from doublevm import DoubleVM, ParentValidation, SuspiciousPattern
from tests.docs.pages import PAGES

HEADINGS = {
    heading
    for page in PAGES
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
}

OPTIONS = [
    field.name
    for kind in (DoubleVM, ParentValidation, SuspiciousPattern)
    for field in dataclasses.fields(kind)
]


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_has_a_heading(option: str) -> None:
    assert option in HEADINGS
