from __future__ import annotations

from typing import Any

import pytest

from doublevm.errors import ConfigError
from doublevm.levels import MIB, SecurityLevel

KIB = 1024
# The table of the documentation, row by row.
TABLE: dict[str, tuple[Any, ...]] = {
    # timeout, memory, calls, output, prints, denied, full traceback, auto may use cpython
    "STRICT": (5.0, 64 * MIB, 10, 64 * KIB, 100, 100, False, False),
    "SECURE": (15.0, 128 * MIB, 50, 256 * KIB, 500, 100, False, True),
    "STANDARD": (30.0, 256 * MIB, 100, MIB, 1000, 100, True, True),
    "PERMISSIVE": (60.0, 512 * MIB, 1000, 10 * MIB, 10_000, 100, True, True),
}
# Workers, bytes a worker may grow by, runs of a worker, queue, messages per second.
POOLS = {
    "STRICT": (4, 64 * MIB, 100, 20, 100),
    "SECURE": (8, 128 * MIB, 500, 50, 500),
    "STANDARD": (16, 256 * MIB, 1000, 100, 1000),
    "PERMISSIVE": (32, 512 * MIB, 5000, 500, 5000),
}


def test_there_are_these_four() -> None:
    assert [level.name for level in SecurityLevel] == list(TABLE)
    assert MIB == 1024 * KIB


@pytest.mark.parametrize("name", TABLE)
def test_what_a_level_sets(name: str) -> None:
    settings = SecurityLevel[name].settings
    limits = settings.limits
    found = (
        limits.timeout,
        limits.memory,
        limits.max_tool_calls,
        limits.max_output_bytes,
        limits.max_prints,
        limits.max_denied,
        settings.full_traceback,
        settings.auto_may_use_cpython,
    )
    assert found == TABLE[name]


@pytest.mark.parametrize("name", TABLE)
def test_it_is_taken_by_value_or_by_name(name: str) -> None:
    assert SecurityLevel.of(name) is SecurityLevel.of(SecurityLevel[name]) is SecurityLevel[name]


@pytest.mark.parametrize("level", ["", "strict", "of", "settings", None, 1, b"STRICT", ["STRICT"]])
def test_nothing_else_is_a_level(level: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        SecurityLevel.of(level)
    assert str(caught.value) == (
        f"security_level must be one of STRICT, SECURE, STANDARD, PERMISSIVE, not {level!r}"
    )


@pytest.mark.parametrize("name", POOLS)
def test_what_a_level_sets_for_a_pool(name: str) -> None:
    pool = SecurityLevel[name].settings.pool
    found = (
        pool.max_workers,
        pool.memory_limit_per_worker,
        pool.max_executions_per_worker,
        pool.max_queue_size,
        pool.max_messages_per_second,
    )
    assert found == POOLS[name]
    times = (pool.queue_timeout, pool.idle_timeout, pool.graceful_shutdown_timeout)
    assert (pool.min_workers, times) == (1, (30.0, 60.0, 5.0))
