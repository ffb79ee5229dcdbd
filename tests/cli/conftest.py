"""Fixtures: each kind of stored trail."""

from __future__ import annotations

import pytest

from tests.audit.making import KINDS


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which sink keeps the trail."""
    return str(request.param)
