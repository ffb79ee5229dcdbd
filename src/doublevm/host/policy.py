"""The policy compared with the tools, and as frames, for the way to the parent VM."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

from doublevm.errors import ConfigError, ProtocolError
from doublevm.host.detectors import pickle_detector
from doublevm.verdict import Allow, WouldDeny
from doublevm.wire import frames as f
from doublevm.wire.codec import MAX_VALUE_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection

    from doublevm.policy import ParentValidation, SuspiciousPattern

_POLICY: Final = ("names", "rate", "sequence")
"""The barriers that ask by these settings."""


def misnamed(validation: ParentValidation, tools: Collection[str]) -> str | None:
    """Return a doubt about the names that settings speak of, where there are no others than tools.

    Raises:
        ConfigError: a threshold is for a tool that is not there.
    """
    for name in validation.rapid_enumeration_overrides:
        if name not in tools:
            near = difflib.get_close_matches(name, tools, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(
                f"parent_validation.rapid_enumeration_overrides: there is no tool {name!r}{hint}"
            )
    allowed = validation.allowed_operation_pattern
    if not isinstance(allowed, re.Pattern) or not validation.validate_operation_names or not tools:
        return None
    if any(map(allowed.fullmatch, tools)):
        return None
    return (
        "parent_validation.allowed_operation_pattern matches no tool's whole name: every call will "
        "be denied"
    )


def validation_frame(validation: ParentValidation) -> f.Validation:
    """Return the settings as a frame.

    Raises:
        ConfigError: a pattern's function cannot be sent, or is too large.
    """
    v = validation
    custom = tuple(map(_detector, v.suspicious_patterns if v.block_suspicious_sequences else ()))
    size = sum(len(each.function) for each in custom)
    if size > MAX_VALUE_BYTES:
        raise ConfigError(
            f"parent_validation.suspicious_patterns: their functions, with all they use, have "
            f"{size:,} bytes; {MAX_VALUE_BYTES:,} can be sent to the parent VM"
        )
    return f.Validation(
        enforce=v.enforce,
        validate_operation_names=v.validate_operation_names,
        allowed_operation_pattern=_expression(v.allowed_operation_pattern),
        blocked_operation_patterns=tuple(
            expression
            for expression in map(_expression, v.blocked_operation_patterns)
            if expression is not None
        ),
        max_operations_per_second=v.max_operations_per_second,
        on_rate_limit=v.on_rate_limit,
        block_suspicious_sequences=v.block_suspicious_sequences,
        suspicious_patterns=custom,
        disabled_patterns=v.disabled_patterns,
        unenforced_patterns=v.unenforced_patterns,
        sequence_window=v.sequence_window,
        rapid_enumeration_threshold=v.rapid_enumeration_threshold,
        rapid_enumeration_window=v.rapid_enumeration_window,
        rapid_enumeration_overrides=dict(v.rapid_enumeration_overrides),
    )


def verdict_on(call: f.Call, validation: f.Validation | None) -> Allow | WouldDeny:
    """Return the parent VM's verdict on what it lets through.

    Raises:
        ProtocolError: it objects to an operation, and what it objects by is enforced.
    """
    objection = call.would_deny
    if objection is None:
        return Allow()
    if validation is None or not _is_unenforced(validation, objection):
        raise ProtocolError("parent", "call", "an objection that the policy does not let pass")
    return WouldDeny(objection.barrier, objection.rule, objection.reason)


def _is_unenforced(validation: f.Validation, objection: f.Objection) -> bool:
    """Whether an objection is one that these settings let through."""
    if not validation.enforce:
        return objection.barrier in _POLICY
    own = (pattern.id for pattern in validation.suspicious_patterns if not pattern.enforce)
    return objection.barrier == "sequence" and objection.rule in (
        *validation.unenforced_patterns,
        *own,
    )


def _detector(pattern: SuspiciousPattern) -> f.Detector:
    function = pickle_detector(pattern)
    return f.Detector(pattern.id, pattern.description, function, pattern.enforce)


def _expression(pattern: str | re.Pattern[str] | None) -> f.Expression | None:
    return f.Expression(pattern.pattern, pattern.flags) if isinstance(pattern, re.Pattern) else None
