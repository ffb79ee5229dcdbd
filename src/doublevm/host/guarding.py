"""The guard's settings, complete, and as a frame for the way to the parent VM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doublevm.errors import ConfigError
from doublevm.guard.findings import Finding
from doublevm.guard_options import ACTIONS
from doublevm.host.detectors import pickle_function
from doublevm.wire import guard_frames as g
from doublevm.wire.codec import MAX_VALUE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from doublevm.guard_options import Guard, GuardRule
    from doublevm.levels import SecurityLevel
    from doublevm.wire.base import EngineChoice


def guarding(
    guard: Guard | None,
    level: SecurityLevel,
    engine: EngineChoice,
    packages: Iterable[str],
    stubs: Callable[[], str],
) -> g.Guarding | None:
    """Return the settings as a frame, with the level's in place of those that are not set.

    Raises:
        ConfigError: a rule's function cannot be sent, or iterations are to be counted on an engine
            that cannot.
    """
    if guard is None:
        return None
    complete = guard.over(level.settings.guard)
    _check_counting(complete, level, engine)
    sizes = {name: getattr(complete, name) for name in _COPIED}
    return g.Guarding(
        **sizes,
        actions={name: getattr(complete, name) for name in ACTIONS},
        packages=tuple(packages),
        stubs=stubs() if complete.type_check else None,
        rules=_rules(complete.rules),
    )


_COPIED = (
    "max_source_bytes",
    "max_line_length",
    "max_nesting",
    "max_nodes",
    "max_literal_bytes",
    "allowed_modules",
    "max_iterations",
)


def findings_of(found: Iterable[g.Found]) -> tuple[Finding, ...]:
    """Return the findings that a parent VM tells of."""
    return tuple(
        Finding(each.rule, each.line, each.column, each.excerpt, each.message, each.suggestion)
        for each in found
    )


def _check_counting(guard: Guard, level: SecurityLevel, engine: EngineChoice) -> None:
    if guard.max_iterations is None or engine == "cpython":
        return
    if engine == "monty" or not level.settings.auto_may_use_cpython:
        raise ConfigError(
            "guard.max_iterations: iterations are counted on the cpython engine, which may not be "
            "used here; give engine='cpython', or leave the bound to limits.timeout"
        )


def _rules(rules: Iterable[GuardRule]) -> tuple[g.OwnRule, ...]:
    own = tuple(map(_rule, rules))
    size = sum(len(each.function) for each in own)
    if size > MAX_VALUE_BYTES:
        raise ConfigError(
            f"guard.rules: their functions, with all they use, have {size:,} bytes; "
            f"{MAX_VALUE_BYTES:,} can be sent to the parent VM"
        )
    return own


def _rule(rule: GuardRule) -> g.OwnRule:
    function = pickle_function(rule.check, f"guard rule {rule.id!r}: check")
    return g.OwnRule(rule.id, rule.action, function)
