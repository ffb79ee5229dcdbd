"""Budget: how many operations one run may attempt."""

from __future__ import annotations

from doublevm.verdict import Deny


def judge_budget(attempts: int, max_tool_calls: int) -> Deny | None:
    """Deny the attempt that exceeds the run's budget; ``attempts`` includes this one."""
    if attempts <= max_tool_calls:
        return None
    return Deny("budget", "max_tool_calls", f"the run has used up its {max_tool_calls} tool calls")
