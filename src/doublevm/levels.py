"""Security levels: presets as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from doublevm.confinement import Rung
from doublevm.errors import ConfigError
from doublevm.limits import Limits
from doublevm.pool_limits import PoolLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doublevm.wire.frames import EngineName

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSettings:
    """What a security level sets."""

    limits: Limits
    """Limits of a run; explicit ones override field by field."""
    pool: PoolLimits
    """Limits of a pool, likewise."""
    full_traceback: bool
    """Whether results carry the guest's full traceback, or only message and line."""
    auto_may_use_cpython: bool
    """Whether ``engine="auto"`` may move a program to the cpython engine."""
    weakest: Mapping[EngineName, Rung]
    """The weakest confinement that each engine may run on."""


class SecurityLevel(Enum):
    """Presets from tight to loose; accepted by value or by name."""

    STRICT = "STRICT"
    SECURE = "SECURE"
    STANDARD = "STANDARD"
    PERMISSIVE = "PERMISSIVE"

    @property
    def settings(self) -> LevelSettings:
        """The settings this level stands for."""
        return _SETTINGS[self]

    @classmethod
    def of(cls, level: object) -> SecurityLevel:
        """Return the level itself or the one of that name.

        Raises:
            ConfigError: there is no such level.
        """
        if isinstance(level, SecurityLevel):
            return level
        known = ", ".join(member.name for member in cls)
        if not isinstance(level, str) or level not in cls.__members__:
            raise ConfigError(f"security_level must be one of {known}, not {level!r}")
        return cls[level]


def _limits(
    timeout: float, memory: int, calls: int, output: int, prints: int, denied: int = 100
) -> Limits:
    return Limits(
        timeout=timeout,
        memory=memory * MIB,
        max_tool_calls=calls,
        max_output_bytes=output,
        max_prints=prints,
        max_denied=denied,
    )


def _pool(workers: int, memory: int, executions: int, queue: int, messages: int) -> PoolLimits:
    return PoolLimits(
        min_workers=1,
        max_workers=workers,
        memory_limit_per_worker=memory * MIB,
        max_executions_per_worker=executions,
        max_queue_size=queue,
        queue_timeout=30.0,
        idle_timeout=60.0,
        max_messages_per_second=messages,
        graceful_shutdown_timeout=5.0,
    )


def _settings(
    limits: Limits,
    pool: PoolLimits,
    monty: Rung,
    *,
    traceback: bool = True,
    auto_cpython: bool = True,
) -> LevelSettings:
    # cpython is confined by the operating system alone, so limits are never enough for it.
    weakest: dict[EngineName, Rung] = {"monty": monty, "cpython": max(monty, Rung.REDUCED)}
    return LevelSettings(
        limits=limits,
        pool=pool,
        full_traceback=traceback,
        auto_may_use_cpython=auto_cpython,
        weakest=MappingProxyType(weakest),
    )


_SETTINGS: Final = {
    SecurityLevel.STRICT: _settings(
        _limits(5.0, 64, 10, 64 * 1024, 100),
        _pool(4, 64, 100, 20, 100),
        Rung.FULL,
        traceback=False,
        auto_cpython=False,
    ),
    SecurityLevel.SECURE: _settings(
        _limits(15.0, 128, 50, 256 * 1024, 500),
        _pool(8, 128, 500, 50, 500),
        Rung.FULL,
        traceback=False,
    ),
    SecurityLevel.STANDARD: _settings(
        _limits(30.0, 256, 100, MIB, 1000), _pool(16, 256, 1000, 100, 1000), Rung.MINIMAL
    ),
    SecurityLevel.PERMISSIVE: _settings(
        _limits(60.0, 512, 1000, 10 * MIB, 10_000), _pool(32, 512, 5000, 500, 5000), Rung.NONE
    ),
}
