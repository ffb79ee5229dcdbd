"""Fixtures: each kind of stored trail, and both drivers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.audit.making import KINDS
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driven, Driver, Opens


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which sink keeps the trail."""
    return str(request.param)


@pytest.fixture(params=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """Which enclave is driven."""
    name: Driver = request.param
    return name


@pytest.fixture
def open_enclave(driver: Driver) -> Iterator[Opens]:
    """Makes enclaves of this driver on monty: what is kept does not depend on the engine."""
    with contextlib.ExitStack() as enclaves:

        def make(**options: Any) -> Driven:
            return enclaves.enter_context(opened(driver, **{"engine": "monty", **options}))

        yield make
