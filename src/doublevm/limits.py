"""What one run may use, and how unset limits are filled from the security level."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

from doublevm.errors import ConfigError
from doublevm.shapes import brief

MIN_MEMORY: Final = 8 * 1024 * 1024
"""Least memory a guest can do anything with, in bytes; less is refused at construction."""

MAX_COUNT: Final = 2**53
"""Largest other limit accepted: what every number on the wire may be."""

MAX_TIMEOUT: Final = 24 * 3600.0
"""Longest timeout accepted, in seconds; a larger one is more likely milliseconds by mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one run. A field left at None takes the security level's value.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    timeout: float | None = None
    """Wall-clock seconds a run may take, tools and sleeping included."""
    memory: int | None = None
    """Bytes the guest may use beyond what its empty process needs."""
    max_tool_calls: int | None = None
    """Operations a run may attempt; denied attempts count."""
    max_output_bytes: int | None = None
    """Bytes (UTF-8) a run may print, stdout and stderr together."""
    max_prints: int | None = None
    """Lines a run may print, stdout and stderr together."""
    max_denied: int | None = None
    """Denials after which a run is ended."""

    def __post_init__(self) -> None:
        """Check every field that is set."""
        if self.timeout is not None:
            _check_timeout(self.timeout)
        for field in fields(self):
            if field.name != "timeout":
                _check_count(field.name, getattr(self, field.name))
        if self.memory is not None and self.memory < MIN_MEMORY:
            raise ConfigError(
                f"limits.memory must be at least {MIN_MEMORY} bytes (8 MiB), not {self.memory}"
            )

    def over(self, base: Limits) -> Limits:
        """Return these limits with unset fields taken from ``base``."""
        missing = {
            field.name: getattr(base, field.name)
            for field in fields(self)
            if getattr(self, field.name) is None
        }
        return replace(self, **missing)


def _check_timeout(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"limits.timeout must be a number of seconds, not {value!r}")
    if not 0 < value <= MAX_TIMEOUT:  # which a NaN is not, either
        raise ConfigError(
            f"limits.timeout must be seconds between 0 and {MAX_TIMEOUT:.0f}, not {brief(value)}"
        )


def _check_count(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"limits.{name} must be an int, not {value!r}")
    if value < 0:
        raise ConfigError(f"limits.{name} must be 0 or more, not {brief(value)}")
    if value > MAX_COUNT:
        raise ConfigError(f"limits.{name} must be at most {MAX_COUNT}, not {brief(value)}")
