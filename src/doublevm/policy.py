"""The settings of the double VM: plain values, checked when they are made.

Names are those of the double VM layer's specification, in Python's spelling.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, TypeGuard, get_args

from doublevm.barriers.names import is_name
from doublevm.barriers.sequence import BUILT_IN_IDS
from doublevm.callables import wrong_function
from doublevm.errors import ConfigError
from doublevm.history import OperationHistoryEntry
from doublevm.limits import MAX_TIMEOUT
from doublevm.shapes import brief

OnRateLimit = Literal["deny", "wait"]

Detect = Callable[[str, Any, list[OperationHistoryEntry]], bool]
_DETECT_TAKES: Final = ("operation_name", "args", "history")

MOST: Final = 10**9
"""Largest number that is accepted where something is counted."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspiciousPattern:
    """A pattern of your own. Its function runs in the parent VM, for every operation.

    Raises:
        ConfigError: the id or the description is not usable, or ``detect`` is not a plain function
            of three arguments.
    """

    id: str
    """Names the pattern in denials, ``[sequence/ID]``: letters, digits, ``_ . -``, 64 at most."""
    description: str
    """What is suspicious, in one line for the guest: it becomes the reason of a denial."""
    detect: Detect
    """``detect(operation_name, args, history) -> bool``; True denies the operation. It gets copies.
    One that raises, takes too long, or returns anything but a bool denies it too."""
    enforce: bool = True
    """False: what it would deny is let through, with a ``WouldDeny`` on record."""

    def __post_init__(self) -> None:
        """Check the fields."""
        if not _is_id(self.id):
            raise ConfigError(
                f"suspicious pattern id {brief(self.id, 80)} must have 1 to 64 of A-Z a-z 0-9 _ . -"
            )
        wrong = _wrong_description(self.description) or wrong_function(
            "detect", self.detect, _DETECT_TAKES
        )
        if not wrong and not _is_flag(self.enforce):
            wrong = f"enforce must be True or False, not {brief(self.enforce, 80)}"
        if wrong:
            raise ConfigError(f"suspicious pattern {self.id!r}: {wrong}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentValidation:
    """What the parent VM judges, beyond which tools there are and what arguments they take.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    enforce: bool = True
    """False: what these settings would deny is let through, with a ``WouldDeny`` on record."""
    validate_operation_names: bool = True
    """Whether ``allowed_operation_pattern`` is applied."""
    allowed_operation_pattern: str | re.Pattern[str] | None = None
    """A regular expression that the whole name of an operation has to match."""
    blocked_operation_patterns: tuple[str | re.Pattern[str], ...] = ()
    """Regular expressions; an operation in whose name one is found is denied, always."""
    max_operations_per_second: int = 100
    """No sliding second holds more accepted operations, over all runs of the enclave."""
    on_rate_limit: OnRateLimit = "deny"
    """``"deny"``: refuse until the rate drops. ``"wait"``: hold the call back until it does."""
    block_suspicious_sequences: bool = True
    """Whether patterns are applied, built-in ones and your own."""
    suspicious_patterns: tuple[SuspiciousPattern, ...] = ()
    """Patterns of your own, asked after the built-in ones, in this order."""
    disabled_patterns: tuple[str, ...] = ()
    """Ids of built-in patterns to leave out."""
    unenforced_patterns: tuple[str, ...] = ()
    """Ids of built-in patterns that deny nothing: what they would deny has a ``WouldDeny`` on
    record."""
    sequence_window: float = 60.0
    """Seconds for which an operation counts as the first half of a sequence."""
    rapid_enumeration_threshold: int = 10
    """Attempts of one operation that are fine within ``rapid_enumeration_window``."""
    rapid_enumeration_window: float = 5.0
    """Seconds."""
    rapid_enumeration_overrides: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Thresholds of single operations, by registered name."""

    def __post_init__(self) -> None:
        """Check the fields, compile the patterns, freeze the collections."""
        allowed = self.allowed_operation_pattern
        if allowed is not None:
            allowed = _compiled("allowed_operation_pattern", allowed)
        blocked = _items("blocked_operation_patterns", self.blocked_operation_patterns)
        custom = _items("suspicious_patterns", self.suspicious_patterns)
        disabled = _items("disabled_patterns", self.disabled_patterns)
        unenforced = _items("unenforced_patterns", self.unenforced_patterns)
        _check_patterns(custom)
        _check_built_in("disabled_patterns", disabled, custom, "leave your own out of")
        _check_built_in("unenforced_patterns", unenforced, custom, "say enforce=False in")
        checked = {
            "allowed_operation_pattern": allowed,
            "blocked_operation_patterns": tuple(
                _compiled(f"blocked_operation_patterns[{i}]", each)
                for i, each in enumerate(blocked)
            ),
            "suspicious_patterns": custom,
            "disabled_patterns": disabled,
            "unenforced_patterns": unenforced,
            "rapid_enumeration_overrides": _thresholds(self.rapid_enumeration_overrides),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        self._check_scalars()

    def _check_scalars(self) -> None:
        for name in ("enforce", "validate_operation_names", "block_suspicious_sequences"):
            _check_bool(name, getattr(self, name))
        _check_count("max_operations_per_second", self.max_operations_per_second, 1)
        _check_count("rapid_enumeration_threshold", self.rapid_enumeration_threshold, 0)
        for name in ("sequence_window", "rapid_enumeration_window"):
            check_seconds(f"parent_validation.{name}", getattr(self, name))
        if self.on_rate_limit not in get_args(OnRateLimit):
            raise _wrong("on_rate_limit", "'deny' or 'wait'", self.on_rate_limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleVM:
    """Settings of the parent VM.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    enabled: bool = True
    """False: the parent VM relays without name patterns, rate and sequences, and a warning is
    issued. Which tools there are, their arguments' types, limits and audit stay."""
    parent_timeout_buffer: float = 1.0
    """Seconds past ``timeout`` after which the host kills the pair, whatever it does."""
    parent_validation: ParentValidation = field(default_factory=ParentValidation)
    """What is judged."""

    def __post_init__(self) -> None:
        """Check the fields."""
        if not isinstance(self.enabled, bool):
            raise ConfigError(f"double_vm.enabled must be True or False, not {brief(self.enabled)}")
        check_seconds("double_vm.parent_timeout_buffer", self.parent_timeout_buffer, MAX_TIMEOUT)
        if not isinstance(self.parent_validation, ParentValidation):
            raise ConfigError(
                "double_vm.parent_validation must be ParentValidation(...), "
                f"not {brief(self.parent_validation, 80)}"
            )


def check_seconds(name: str, value: object, most: float = math.inf) -> None:
    """Check that a value is a number of seconds above 0, and ``most`` at most.

    Raises:
        ConfigError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{name} must be seconds, not {brief(value)}")
    try:
        fits = math.isfinite(value) and 0 < value <= most
    except OverflowError:  # an int beyond every float
        fits = False
    if not fits:
        limit = f" and at most {most:.0f}" if math.isfinite(most) else ""
        raise ConfigError(f"{name} must be more than 0{limit} seconds, not {brief(value)}")


def _wrong(name: str, right: str, value: object) -> ConfigError:
    return ConfigError(f"parent_validation.{name} must be {right}, not {brief(value, 80)}")


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _check_bool(name: str, value: object) -> None:
    if not _is_flag(value):
        raise _wrong(name, "True or False", value)


def _check_count(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
        raise _wrong(name, f"an int of {least} to {MOST:,}", value)


def _items(name: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise _wrong(name, "a list or tuple", value)
    return tuple(value)


def _compiled(name: str, pattern: object) -> re.Pattern[str]:
    if _is_text(pattern):
        try:
            return re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise _wrong(name, f"a regular expression ({error})", pattern) from None
    if not isinstance(pattern, re.Pattern) or not _is_text(pattern.pattern):
        raise _wrong(name, "a regular expression for text", pattern)
    return pattern


def _check_patterns(custom: tuple[Any, ...]) -> None:
    seen = set(BUILT_IN_IDS)
    for pattern in custom:
        if not isinstance(pattern, SuspiciousPattern):
            raise _wrong("suspicious_patterns", "a list of SuspiciousPattern(...)", pattern)
        if pattern.id in seen:
            raise ConfigError(
                f"parent_validation.suspicious_patterns: the id {pattern.id!r} is taken; choose "
                "another"
            )
        seen.add(pattern.id)


def _check_built_in(
    field_name: str, ids: tuple[Any, ...], custom: tuple[SuspiciousPattern, ...], instead: str
) -> None:
    own_ids = [pattern.id for pattern in custom]  # a list: what is looked for may be anything
    for name in ids:
        if name not in BUILT_IN_IDS:
            wrong = _wrong(field_name, f"ids out of {', '.join(BUILT_IN_IDS)}", name)
            own = f"; {instead} suspicious_patterns" if name in own_ids else ""
            raise ConfigError(f"{wrong}{own}")


def _thresholds(overrides: object) -> Mapping[str, int]:
    if not isinstance(overrides, Mapping):
        raise _wrong("rapid_enumeration_overrides", "a dict of names and thresholds", overrides)
    for name, threshold in overrides.items():
        if not isinstance(name, str) or not is_name(name):
            raise _wrong("rapid_enumeration_overrides", "a dict with names as keys", name)
        _check_count(f"rapid_enumeration_overrides[{name!r}]", threshold, 0)
    return MappingProxyType(dict(overrides))


def _is_id(name: object) -> bool:
    return isinstance(name, str) and _ID.match(name) is not None


def _is_text(value: object) -> TypeGuard[str]:
    """Whether it is text that can be sent: without lone surrogates."""
    return isinstance(value, str) and not _SURROGATE.search(value)


def _wrong_description(text: object) -> str:
    """Return what is wrong with it, if anything: it becomes a part of one line."""
    if _is_text(text) and text.strip() and text.splitlines() == [text]:
        return ""
    return f"description must be one line of text that is not empty, not {brief(text, 80)}"
