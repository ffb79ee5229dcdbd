"""Every test of behaviour runs over both drivers and both engines, unless it says why not.

A test gets its enclaves from ``open_enclave``, which closes them. Tables of many small programs
share one session for each driver and engine instead: a fresh cpython guest costs 0.2 s.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.behaviour.drivers import opened
from tests.support.procfs import none_left

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driven, Driver, Engine, Opens


@pytest.fixture(params=["sync", "async"], scope="session")
def driver(request: pytest.FixtureRequest) -> Driver:
    """Which enclave is driven."""
    kind: Driver = request.param
    return kind


@pytest.fixture(params=["monty", "cpython"], scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """Which engine runs the guest."""
    name: Engine = request.param
    return name


@pytest.fixture
def open_enclave(driver: Driver, engine: Engine) -> Iterator[Opens]:
    """Makes enclaves of this driver and, unless told otherwise, this engine."""
    with contextlib.ExitStack() as enclaves:

        def make(**options: Any) -> Driven:
            return enclaves.enter_context(opened(driver, **{"engine": engine, **options}))

        yield make


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left() -> Iterator[None]:
    """Whatever a file's tests do to their guests: no process lives on."""
    with none_left():
        yield
