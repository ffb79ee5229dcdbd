"""The words on the page of the sequence barrier are those that it goes by."""

from __future__ import annotations

import re

import pytest

from doublevm.barriers import bulk, sequence
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "barriers" / "sequence.md"

LISTS: dict[str, frozenset[str] | frozenset[tuple[str, ...]]] = {
    "reads data": sequence.ACCESS,
    "lets data out": sequence.SEND,
    "credential": sequence.CREDENTIAL,
    "credential before `key` or `keys`": sequence.KEY_KINDS,
    "outside, besides what lets data out": sequence.EXTERNAL - sequence.SEND,
    "deletes": sequence.DELETE,
    "bulk, also `export_all`": sequence.BULK,
    "limit": bulk.LIMIT_WORDS,
    "limit name": bulk.LIMIT_NAMES,
    "no-limit flag": bulk.NO_LIMIT_FLAGS,
    "no-limit value": bulk.NO_LIMIT_VALUES,
}


def rows() -> dict[str, list[str]]:
    table = PAGE.read_text(encoding="utf-8").partition("| list | words |\n|---|---|\n")[2]
    cells = re.findall(r"^\| (.+) \| (.+) \|$", table.partition("\n\n")[0], re.MULTILINE)
    return {label: re.findall(r"`(\w+)`", words) for label, words in cells}


def test_every_list_is_on_the_page() -> None:
    assert list(rows()) == list(LISTS)


@pytest.mark.parametrize("label", LISTS)
def test_a_list_is_complete(label: str) -> None:
    expected = {"_".join(each) if isinstance(each, tuple) else each for each in LISTS[label]}
    assert sorted(rows()[label]) == sorted(expected)


def test_what_lets_data_out_is_outside() -> None:
    assert sequence.EXTERNAL >= sequence.SEND


def test_no_other_list_has_come() -> None:
    """A new table of words has to be put on the page."""
    tables = [
        name
        for module in (sequence, bulk)
        for name, value in vars(module).items()
        if isinstance(value, frozenset) and name.isupper()
    ]
    assert len(tables) == len(LISTS)
