"""The policy as the parent VM has it: made again from the frame, detectors loaded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from doublevm.policy import ParentValidation, SuspiciousPattern

if TYPE_CHECKING:
    from doublevm.wire import frames as f


def validation_of(frame: f.Validation) -> ParentValidation:
    """Return the settings that the host sent; the host is trusted, so its pickles are loaded."""
    allowed = frame.allowed_operation_pattern
    return ParentValidation(
        enforce=frame.enforce,
        validate_operation_names=frame.validate_operation_names,
        allowed_operation_pattern=_compiled(allowed) if allowed is not None else None,
        blocked_operation_patterns=tuple(map(_compiled, frame.blocked_operation_patterns)),
        max_operations_per_second=frame.max_operations_per_second,
        on_rate_limit=frame.on_rate_limit,
        block_suspicious_sequences=frame.block_suspicious_sequences,
        suspicious_patterns=tuple(map(_pattern, frame.suspicious_patterns)),
        disabled_patterns=frame.disabled_patterns,
        unenforced_patterns=frame.unenforced_patterns,
        sequence_window=frame.sequence_window,
        rapid_enumeration_threshold=frame.rapid_enumeration_threshold,
        rapid_enumeration_window=frame.rapid_enumeration_window,
        rapid_enumeration_overrides=frame.rapid_enumeration_overrides,
    )


def _compiled(expression: f.Expression) -> re.Pattern[str]:
    return re.compile(expression.pattern, expression.flags)


def _pattern(detector: f.Detector) -> SuspiciousPattern:
    import cloudpickle  # noqa: PLC0415 - 10 ms that most enclaves need not pay

    detect = cloudpickle.loads(detector.function)
    return SuspiciousPattern(
        id=detector.id,
        description=detector.description,
        detect=detect,
        enforce=detector.enforce,
    )
