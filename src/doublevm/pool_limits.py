"""How large a pool may grow and how long it is waited for; unset limits come from the level."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

from doublevm.errors import ConfigError
from doublevm.shapes import brief

SECONDS: Final = ("queue_timeout", "idle_timeout", "graceful_shutdown_timeout")
ZERO_IS_FINE: Final = ("min_workers", "max_queue_size", "graceful_shutdown_timeout")
MOST: Final = {"min_workers": 10_000, "max_workers": 10_000}
MOST_SECONDS: Final = 24 * 3600.0
"""A longer time is more likely milliseconds by mistake."""
MAX_COUNT: Final = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """Limits of a pool. A field left at None takes the security level's value.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    min_workers: int | None = None
    """Workers that are kept ready although nobody needs them."""
    max_workers: int | None = None
    """Programs that may run at the same time, each in a worker of its own."""
    memory_limit_per_worker: int | None = None
    """Bytes by which a worker's processes may have grown after a run."""
    max_executions_per_worker: int | None = None
    """Runs after which a worker is replaced."""
    max_queue_size: int | None = None
    """Requests that may wait while every worker is busy."""
    queue_timeout: float | None = None
    """Seconds that a request waits at most."""
    idle_timeout: float | None = None
    """Seconds after which a worker that nobody needs is ended, beyond ``min_workers``."""
    max_messages_per_second: int | None = None
    """Calls, denials and pieces of output that one guest may send in any second."""
    graceful_shutdown_timeout: float | None = None
    """Seconds that ``close()`` waits for runs under way."""

    def __post_init__(self) -> None:
        """Check every field that is set."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            check = _check_seconds if field.name in SECONDS else _check_count
            check(field.name, value)
        if None not in (self.min_workers, self.max_workers):
            self._check_workers()

    def _check_workers(self) -> None:
        assert self.min_workers is not None
        assert self.max_workers is not None
        if self.min_workers > self.max_workers:
            raise ConfigError(
                f"min_workers must be at most max_workers, which is {self.max_workers}, not "
                f"{self.min_workers}; lower it, or raise max_workers"
            )

    def over(self, base: PoolLimits) -> PoolLimits:
        """Return these limits with unset fields taken from ``base``."""
        missing = {
            field.name: getattr(base, field.name)
            for field in fields(self)
            if getattr(self, field.name) is None
        }
        if self.max_workers is not None and self.min_workers is None:
            # Nobody who asks for few workers should have to ask for fewer idle ones as well.
            missing["min_workers"] = min(missing["min_workers"], self.max_workers)
        return replace(self, **missing)


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name} must be an int, not {value!r}")
    least = 0 if name in ZERO_IS_FINE else 1
    if value < least:
        raise ConfigError(f"{name} must be {least} or more, not {brief(value)}")
    most = MOST.get(name, MAX_COUNT)
    if value > most:
        raise ConfigError(f"{name} must be at most {most}, not {brief(value)}")


def _check_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{name} must be a number of seconds, not {value!r}")
    if value == 0 and name in ZERO_IS_FINE:
        return
    if not 0 < value <= MOST_SECONDS:  # which a NaN is not, either
        raise ConfigError(
            f"{name} must be seconds between 0 and {MOST_SECONDS:.0f}, not {brief(value)}"
        )
