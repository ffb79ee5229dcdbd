from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.procfs import adopt_orphans, descendants, reap_adopted, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Whatever a test breaks: no process of it lives on, not even as an orphan."""
    adopt_orphans()
    before = {process.pid for process in descendants()}
    yield
    gone = wait_until(lambda: {p.pid for p in descendants()} <= before)
    left = [process for process in descendants() if process.pid not in before]
    reap_adopted()
    assert gone, f"still alive: {left}"
