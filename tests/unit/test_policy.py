"""Limits, levels and settings: checked when made, complete when used."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from doublevm import ConfigError, DoubleVM, Limits, SecurityLevel
from doublevm.limits import MAX_COUNT, MAX_TIMEOUT, MIN_MEMORY
from doublevm.policy import MIB

COUNTS = ["memory", "max_tool_calls", "max_output_bytes", "max_prints", "max_denied"]
INFINITE, NO_NUMBER = float("inf"), float("nan")


@pytest.mark.parametrize("value", [0.001, 1, 2.5, 60, MAX_TIMEOUT])
def test_timeouts(value: float) -> None:
    assert Limits(timeout=value).timeout == value


@pytest.mark.parametrize("value", [0, -1, -0.0, INFINITE, -INFINITE, NO_NUMBER, MAX_TIMEOUT + 1])
def test_timeouts_out_of_range(value: float) -> None:
    with pytest.raises(ConfigError, match=r"limits\.timeout must be seconds between 0 and 86400"):
        Limits(timeout=value)


@pytest.mark.parametrize("value", ["1", True, b"1", [1], 1j, object])
def test_timeouts_that_are_no_number(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"limits\.timeout must be a number of seconds"):
        Limits(timeout=value)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", ["1", 1.0, True, b"1", [1]])
def test_counts_that_are_no_int(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"limits\.{name} must be an int"):
        Limits(**{name: value})


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [-1, -(10**30), MAX_COUNT + 1, 10**30])
def test_counts_out_of_range(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=rf"limits\.{name} must be"):
        Limits(**{name: value})


@pytest.mark.parametrize("name", COUNTS[1:])
@pytest.mark.parametrize("value", [0, 1, 10**9, MAX_COUNT])
def test_counts(name: str, value: int) -> None:
    assert getattr(Limits(**{name: value}), name) == value


def test_memory_that_no_guest_could_live_with() -> None:
    assert Limits(memory=MIN_MEMORY).memory == MIN_MEMORY
    with pytest.raises(ConfigError, match="8 MiB"):
        Limits(memory=MIN_MEMORY - 1)


def test_positions_are_refused() -> None:
    with pytest.raises(TypeError):
        Limits(5.0)  # type: ignore[call-arg]


def test_unset_limits_come_from_the_base() -> None:
    base = Limits(timeout=1, memory=64 * MIB, max_tool_calls=2, max_output_bytes=3, max_prints=4)
    complete = Limits(timeout=9, max_prints=0).over(base)
    assert complete == Limits(
        timeout=9, memory=64 * MIB, max_tool_calls=2, max_output_bytes=3, max_prints=0
    )
    assert Limits().over(base) == base
    assert base.over(Limits(timeout=5)) == base


LEVELS = {
    "STRICT": (5.0, 64, 10, 64 * 1024, 100, False, False),
    "SECURE": (15.0, 128, 50, 256 * 1024, 500, False, True),
    "STANDARD": (30.0, 256, 100, 1024 * 1024, 1000, True, True),
    "PERMISSIVE": (60.0, 512, 1000, 10 * 1024 * 1024, 10_000, True, True),
}


@pytest.mark.parametrize("level", SecurityLevel)
def test_levels_are_the_documented_table(level: SecurityLevel) -> None:
    timeout, memory, calls, output, prints, traceback, cpython = LEVELS[level.name]
    settings = level.settings
    assert settings.limits == Limits(
        timeout=timeout, memory=memory * MIB, max_tool_calls=calls, max_output_bytes=output,
        max_prints=prints, max_denied=100,
    )  # fmt: skip
    assert (settings.full_traceback, settings.auto_may_use_cpython) == (traceback, cpython)


def test_every_level_sets_every_limit_and_each_is_looser_than_the_last() -> None:
    assert list(LEVELS) == [level.name for level in SecurityLevel]
    rows = [dataclasses.astuple(level.settings.limits) for level in SecurityLevel]
    for tight, loose in itertools.pairwise(rows):
        assert all(a <= b for a, b in zip(tight, loose, strict=True))


@pytest.mark.parametrize("level", SecurityLevel)
def test_levels_by_value_and_by_name(level: SecurityLevel) -> None:
    assert SecurityLevel.of(level) is SecurityLevel.of(level.name) is level


@pytest.mark.parametrize("level", ["strict", "HIGH", "", None, 1, ["STRICT"], b"STRICT"])
def test_unknown_levels(level: Any) -> None:
    with pytest.raises(ConfigError, match="STRICT, SECURE, STANDARD, PERMISSIVE"):
        SecurityLevel.of(level)


@pytest.mark.parametrize("value", [0.001, 1, 5.5])
def test_buffers(value: float) -> None:
    assert DoubleVM(parent_timeout_buffer=value).parent_timeout_buffer == value


@pytest.mark.parametrize("value", [0, -1.0, INFINITE, NO_NUMBER, "1", None, True, 1e9])
def test_buffers_that_are_none(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"double_vm\.parent_timeout_buffer must be"):
        DoubleVM(parent_timeout_buffer=value)


@pytest.mark.parametrize("value", [Limits(), DoubleVM(), SecurityLevel.STRICT.settings])
def test_settings_are_frozen(value: Any) -> None:
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, 1)
    with pytest.raises((AttributeError, TypeError)):
        value.no_such_field = 1
