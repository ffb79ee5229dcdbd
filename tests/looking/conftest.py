"""Fixtures: a browser, and reports for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from doublevm.cli.looking import page as making
from doublevm.host.sinks.reading import read_trail
from tests.looking.browser import FLAGS, chromium
from tests.looking.sample import written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from doublevm.host.sinks.entries import AnyEntry
    from doublevm.host.sinks.pairing import StoredOperation

    Report = Callable[[Iterator[AnyEntry]], Path]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the machine's own Chromium."""
    path = chromium()
    if path is None:
        pytest.skip(
            "there is no Chromium on this machine, so nobody looks at reports: make browser"
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Makes the report of a trail."""

    def make(entries: Iterator[AnyEntry]) -> Path:
        path = tmp_path / "report.html"
        path.write_text(html_of(tmp_path / "trail.jsonl", entries), encoding="utf-8")
        return path

    return make


def html_of(trail: Path, entries: Iterator[AnyEntry]) -> str:
    """Return the page of a trail."""
    found = operations_of(trail, entries)
    return making.page(found, title="trail", about="trail, of the tests", notice="")


def operations_of(trail: Path, entries: Iterator[AnyEntry]) -> list[StoredOperation]:
    """Return what a trail has, as it is read from its file."""
    return list(read_trail(written(trail, entries)).operations())
