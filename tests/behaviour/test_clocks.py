"""Clocks of guests: at STRICT they stand still on monty, elsewhere they run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from tests.behaviour.drivers import Driver

PROGRAM = """
import time
from datetime import datetime, timezone
def now():
    today = datetime.now(timezone.utc).timestamp()
    return [time.time(), time.monotonic(), time.perf_counter(), today]
before = now()
time.sleep(0.05)
[before, now()]
"""


def test_they_stand_still_at_strict(driver: Driver) -> None:
    with opened(driver, security_level="STRICT") as enclave:
        for _ in range(2):
            began = time.time()
            before, after = enclave.run(PROGRAM).unwrap()
            assert before == after
            assert began - 1 < before[0] < time.time() + 1, "each run has its own time"
            time.sleep(0.01)


@pytest.mark.parametrize("level", ["SECURE", "STANDARD", "PERMISSIVE"])
def test_they_run_elsewhere(driver: Driver, level: str) -> None:
    with opened(driver, security_level=level, engine="monty") as enclave:
        before, after = enclave.run(PROGRAM).unwrap()
        assert all(b - a >= 0.04 for a, b in zip(before, after, strict=True))
