"""The rules of the scoring gate: how many points each adds, once for a program.

A rule is a function over the features. What each catches and misses stands in its module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from doublevm.guard.scoring.rules import (
    bulk_operation,
    dynamic_tool,
    excessive_limit,
    exfil_pattern,
    extreme_value,
    loop_tool_call,
    sensitive_field,
    wildcard_query,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doublevm.guard.scoring.rules.hit import Hit
    from doublevm.score import Features


class Rule(NamedTuple):
    """One rule."""

    points: int
    find: Callable[[Features], Iterator[Hit]]


RULES: Final = {
    "SENSITIVE_FIELD": Rule(35, sensitive_field.find),
    "EXCESSIVE_LIMIT": Rule(25, excessive_limit.find),
    "WILDCARD_QUERY": Rule(20, wildcard_query.find),
    "LOOP_TOOL_CALL": Rule(25, loop_tool_call.find),
    "EXFIL_PATTERN": Rule(50, exfil_pattern.find),
    "EXTREME_VALUE": Rule(30, extreme_value.find),
    "DYNAMIC_TOOL": Rule(20, dynamic_tool.find),
    "BULK_OPERATION": Rule(15, bulk_operation.find),
}
"""By id, with the points of the scoring gate's specification."""
