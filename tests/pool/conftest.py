"""Every test of a pool runs over both drivers, unless it says why not."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.pool.drivers import opened_pool
from tests.support.procfs import none_left

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pool.drivers import DrivenPool, Driver, Opens


@pytest.fixture(params=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """Which pool is driven."""
    kind: Driver = request.param
    return kind


@pytest.fixture
def open_pool(driver: Driver) -> Iterator[Opens]:
    """Makes pools of this driver, on monty unless told otherwise."""
    with contextlib.ExitStack() as pools:

        def make(**options: Any) -> DrivenPool:
            return pools.enter_context(opened_pool(driver, **{"engine": "monty", **options}))

        yield make


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left() -> Iterator[None]:
    """Whatever a file's tests do to their pools: no process lives on."""
    with none_left():
        yield
