"""Security levels: presets as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from doublevm.confinement import Rung
from doublevm.errors import ConfigError
from doublevm.guard_options import ACTIONS, MAX_NESTING, MAX_NODES, Guard
from doublevm.limits import Limits
from doublevm.module_lists import STRICT_MODULES
from doublevm.pool_limits import PoolLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doublevm.wire.frames import EngineName

KIB: Final = 1024
MIB: Final = 1024 * KIB


class Unsaid(Enum):
    """That no level was given; None would be one that somebody forgot to set."""

    LEVEL = "the policy's, or STANDARD"


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSettings:
    """What a security level sets."""

    limits: Limits
    """Limits of a run; explicit ones override field by field."""
    pool: PoolLimits
    """Limits of a pool, likewise."""
    guard: Guard
    """What a program may contain, likewise."""
    full_traceback: bool
    """Whether results carry the guest's full traceback, or only message and line."""
    frozen_clocks: bool
    """Whether guests on monty see the time of their run's start, for as long as they run."""
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


def _guard(
    sizes: tuple[int, int, int, int, int], actions: str, modules: frozenset[str] | None = None
) -> Guard:
    """Return a guard: its sizes in the order of the fields, an action for each rule likewise.

    Actions are a letter each: r(efuse), w(arn), a(llow).
    """
    source, line, nesting, nodes, literal = sizes
    words: dict[str, Any] = {"r": "refuse", "w": "warn", "a": "allow"}
    return Guard(
        max_source_bytes=source,
        max_line_length=line,
        max_nesting=nesting,
        max_nodes=nodes,
        max_literal_bytes=literal,
        allowed_modules=None if modules is None else tuple(sorted(modules)),
        type_check=False,
        **{name: words[letter] for name, letter in zip(ACTIONS, actions, strict=True)},
    )


def _settings(
    limits: Limits,
    pool: PoolLimits,
    guard: Guard,
    monty: Rung,
    *,
    traceback: bool = True,
    frozen_clocks: bool = False,
    auto_cpython: bool = True,
) -> LevelSettings:
    # cpython is confined by the operating system alone, so limits are never enough for it.
    weakest: dict[EngineName, Rung] = {"monty": monty, "cpython": max(monty, Rung.REDUCED)}
    return LevelSettings(
        limits=limits,
        pool=pool,
        guard=guard,
        full_traceback=traceback,
        frozen_clocks=frozen_clocks,
        auto_may_use_cpython=auto_cpython,
        weakest=MappingProxyType(weakest),
    )


# invisible characters, confusables, imports, internals, dynamic code, computed names, unbounded
# loops, reserved names, unknown names
_SETTINGS: Final = {
    SecurityLevel.STRICT: _settings(
        _limits(5.0, 64, 10, 64 * KIB, 100),
        _pool(4, 64, 100, 20, 100),
        _guard((64 * KIB, 2000, 60, 10_000, 16 * KIB), "rrrrrrrrr", STRICT_MODULES),
        Rung.FULL,
        traceback=False,
        frozen_clocks=True,
        auto_cpython=False,
    ),
    SecurityLevel.SECURE: _settings(
        _limits(15.0, 128, 50, 256 * KIB, 500),
        _pool(8, 128, 500, 50, 500),
        _guard((256 * KIB, 20_000, 100, 50_000, 128 * KIB), "rrrrrwwrr"),
        Rung.FULL,
        traceback=False,
    ),
    SecurityLevel.STANDARD: _settings(
        _limits(30.0, 256, 100, MIB, 1000),
        _pool(16, 256, 1000, 100, 1000),
        _guard((MIB, 200_000, 150, 200_000, MIB), "wwwwwawww"),
        Rung.MINIMAL,
    ),
    SecurityLevel.PERMISSIVE: _settings(
        _limits(60.0, 512, 1000, 10 * MIB, 10_000),
        _pool(32, 512, 5000, 500, 5000),
        _guard((MIB, MIB, MAX_NESTING, MAX_NODES, MIB), "aaaaaaaaa"),
        Rung.NONE,
    ),
}
