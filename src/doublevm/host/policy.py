"""The policy as frames, for the way to the parent VM."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from doublevm.errors import ConfigError
from doublevm.host.detectors import pickle_detector
from doublevm.wire import frames as f
from doublevm.wire.codec import MAX_VALUE_BYTES

if TYPE_CHECKING:
    from doublevm.policy import ParentValidation, SuspiciousPattern


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
        sequence_window=v.sequence_window,
        rapid_enumeration_threshold=v.rapid_enumeration_threshold,
        rapid_enumeration_window=v.rapid_enumeration_window,
        rapid_enumeration_overrides=dict(v.rapid_enumeration_overrides),
    )


def _detector(pattern: SuspiciousPattern) -> f.Detector:
    return f.Detector(pattern.id, pattern.description, pickle_detector(pattern))


def _expression(pattern: str | re.Pattern[str] | None) -> f.Expression | None:
    return f.Expression(pattern.pattern, pattern.flags) if isinstance(pattern, re.Pattern) else None
