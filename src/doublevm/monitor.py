"""The monitor: applies the barriers in their order to every operation of a run.

The first objection stands. Whatever cannot be judged is denied: a barrier that raises ends the
operation, not the judging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doublevm.barriers.arguments import judge_arguments, named_arguments
from doublevm.barriers.budget import judge_budget
from doublevm.barriers.names import judge_name
from doublevm.operation import BindingError, Operation, ToolSpec
from doublevm.verdict import Allow, Deny, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Monitor:
    """Judges the operations of one enclave."""

    def __init__(self, tools: Iterable[ToolSpec], *, catch_all: bool) -> None:
        """Know the tools; ``catch_all`` lets names through that are not among them."""
        self._tools = {spec.name: spec for spec in tools}
        self._catch_all = catch_all
        self._attempts = 0
        self._max_tool_calls = 0

    def begin_run(self, max_tool_calls: int) -> None:
        """Start counting a run's attempts."""
        self._attempts = 0
        self._max_tool_calls = max_tool_calls

    def judge(
        self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], problem: str = ""
    ) -> tuple[Operation, Verdict]:
        """Return the operation with its arguments by name, and the verdict on it.

        ``problem`` says why the arguments could not be read at all, if so.
        """
        self._attempts += 1
        spec = self._tools.get(name)
        operation = Operation(name, {})
        try:
            operation, objection = self._read(name, spec, args, kwargs, problem)
            return operation, objection or self._objection(operation, spec) or Allow()
        # The border of judging: a barrier that broke has not allowed anything.
        except Exception as error:  # noqa: BLE001
            return operation, Deny("monitor", "error", f"judging failed: {type(error).__name__}")

    def _read(
        self,
        name: str,
        spec: ToolSpec | None,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        problem: str,
    ) -> tuple[Operation, Deny | None]:
        if problem:
            return Operation(name, {}), Deny("arguments", "values", problem)
        unknown = judge_name(name, self._tools, catch_all=self._catch_all)
        if unknown is not None:
            return Operation(name, dict(kwargs)), unknown
        try:
            return Operation(name, named_arguments(spec, args, kwargs)), None
        except BindingError as error:
            return Operation(name, dict(kwargs)), Deny("arguments", "binding", str(error))

    def _objection(self, operation: Operation, spec: ToolSpec | None) -> Deny | None:
        wrong = judge_arguments(operation, spec.parameters) if spec is not None else None
        return wrong or judge_budget(self._attempts, self._max_tool_calls)
