"""A pool's options: unset ones come from the level, wrong ones are refused by name."""

from __future__ import annotations

import math
from typing import Any

import pytest

from doublevm import AsyncEnclavePool, ConfigError, EnclavePool, Limits, SecurityLevel
from doublevm.pool_limits import PoolLimits

BOTH = pytest.mark.parametrize("kind", [EnclavePool, AsyncEnclavePool])

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"max_workers": 0}, "max_workers must be 1 or more, not 0"),
    ({"max_workers": 1.5}, "max_workers must be an int, not 1.5"),
    ({"max_workers": True}, "max_workers must be an int, not True"),
    ({"max_workers": 10_001}, "max_workers must be at most 10000, not 10001"),
    ({"min_workers": -1}, "min_workers must be 0 or more, not -1"),
    (
        {"min_workers": 5, "max_workers": 4},
        "min_workers must be at most max_workers, which is 4, not 5; lower it, or raise max",
    ),
    ({"min_workers": 17}, "min_workers must be at most max_workers, which is 16, not 17"),
    ({"memory_limit_per_worker": 0}, "memory_limit_per_worker must be 1 or more"),
    ({"memory_limit_per_worker": "1G"}, "memory_limit_per_worker must be an int, not '1G'"),
    ({"max_executions_per_worker": 0}, "max_executions_per_worker must be 1 or more"),
    ({"max_queue_size": -1}, "max_queue_size must be 0 or more, not -1"),
    ({"max_queue_size": 2**60}, "max_queue_size must be at most"),
    ({"queue_timeout": 0}, "queue_timeout must be seconds between 0 and 86400, not 0"),
    ({"queue_timeout": "1"}, "queue_timeout must be a number of seconds, not '1'"),
    ({"queue_timeout": False}, "queue_timeout must be a number of seconds, not False"),
    ({"queue_timeout": math.nan}, "queue_timeout must be seconds between 0 and 86400, not nan"),
    ({"idle_timeout": 100_000}, "idle_timeout must be seconds between 0 and 86400, not 100000"),
    ({"max_messages_per_second": 0}, "max_messages_per_second must be 1 or more"),
    ({"graceful_shutdown_timeout": -1}, "graceful_shutdown_timeout must be seconds between 0"),
    ({"engine": "lua"}, "engine must be one of"),
    ({"security_level": "HIGH"}, "security_level must be one of"),
    ({"limits": {"timeout": 1}}, "limits must be Limits"),
]


@BOTH
@pytest.mark.parametrize(("options", "message"), WRONG, ids=[str(each[0]) for each in WRONG])
def test_a_wrong_option(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        kind(**options)
    assert str(refused.value).startswith(message)


@BOTH
def test_a_misspelt_option(kind: Any) -> None:
    with pytest.raises(TypeError, match="max_worker"):
        kind(max_worker=3)


@BOTH
@pytest.mark.parametrize("level", SecurityLevel)
def test_what_is_left_out_is_the_levels(kind: Any, level: SecurityLevel) -> None:
    pool = kind(security_level=level, max_queue_size=7)
    assert pool._limits == PoolLimits(max_queue_size=7).over(level.settings.pool)
    assert pool._limits.max_workers == level.settings.pool.max_workers


def test_few_workers_need_no_fewer_idle_ones() -> None:
    base = SecurityLevel.STANDARD.settings.pool
    assert PoolLimits(max_workers=1).over(base).min_workers == 1


@BOTH
def test_a_pool_says_what_an_enclave_says(kind: Any) -> None:
    def double(n: int) -> int:
        """Twice a number."""
        return 2 * n

    pool = kind(tools=[double], limits=Limits(timeout=3.0))
    assert "def double(n: int) -> int:" in pool.tool_stubs()
    assert "3 s" in pool.instructions() or "3.0" in pool.instructions()
    assert pool.confinement is None
    assert pool.stats.started == 0
