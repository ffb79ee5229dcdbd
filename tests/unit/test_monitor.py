"""The monitor: the barriers in their order, the first objection stands, broken means denied."""

from __future__ import annotations

from typing import Any

import pytest

from doublevm.monitor import Monitor
from doublevm.operation import Parameter, ToolSpec
from doublevm.shapes import Scalar
from doublevm.verdict import Allow, Deny

INT = Scalar("int")
ADD = ToolSpec("add", (Parameter("a", INT, required=True), Parameter("b", INT, required=False)))


def monitor(*, catch_all: bool = False, budget: int = 100) -> Monitor:
    made = Monitor([ADD], catch_all=catch_all)
    made.begin_run(budget)
    return made


def address(verdict: Any) -> str:
    return verdict.address if isinstance(verdict, Deny) else "allowed"


TABLE: list[tuple[str, list[Any], dict[str, Any], str, dict[str, Any]]] = [
    ("add", [1, 2], {}, "allowed", {"a": 1, "b": 2}),
    ("add", [1], {"b": 2}, "allowed", {"a": 1, "b": 2}),
    ("add", [], {"a": 1}, "allowed", {"a": 1}),
    ("add", [], {}, "arguments/binding", {}),
    ("add", [1, 2, 3], {}, "arguments/binding", {}),
    ("add", [1], {"a": 2}, "arguments/binding", {"a": 2}),
    ("add", ["1"], {}, "arguments/type", {"a": "1"}),
    ("other", [], {"a": 1}, "names/unregistered", {"a": 1}),
    ("other\n", [], {"a": 1}, "names/grammar", {"a": 1}),
    ("", [1], {}, "names/grammar", {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "expected", "seen"), TABLE)
def test_verdicts(
    name: str, args: list[Any], kwargs: dict[str, Any], expected: str, seen: dict[str, Any]
) -> None:
    operation, verdict = monitor().judge(name, args, kwargs)
    assert address(verdict) == expected
    assert verdict.allowed == (expected == "allowed")
    assert (operation.name, dict(operation.args)) == (name, seen)


def test_arguments_that_could_not_be_read() -> None:
    operation, verdict = monitor().judge("add", [], {}, "the arguments are of type object")
    assert address(verdict) == "arguments/values"
    assert "of type object" in verdict.message("add") if isinstance(verdict, Deny) else False
    assert dict(operation.args) == {}


def test_a_catch_all_takes_names_but_no_positions() -> None:
    everything = monitor(catch_all=True)
    assert everything.judge("anything", [], {"x": 1})[1] == Allow()
    assert address(everything.judge("anything", [1], {})[1]) == "arguments/binding"
    assert address(everything.judge("any thing", [], {})[1]) == "names/grammar"
    assert address(everything.judge("add", ["x"], {})[1]) == "arguments/type"


def test_the_first_objection_stands() -> None:
    """Names before arguments, arguments before budget."""
    spent = monitor(budget=0)
    assert address(spent.judge("other", [1], {})[1]) == "names/unregistered"
    assert address(spent.judge("add", ["x"], {})[1]) == "arguments/type"
    assert address(spent.judge("add", [1], {})[1]) == "budget/max_tool_calls"


def test_denied_attempts_count_as_well() -> None:
    three = monitor(budget=3)
    verdicts = [three.judge("other", [], {})[1], three.judge("add", ["x"], {})[1]]
    verdicts += [three.judge("add", [1], {})[1] for _ in range(3)]
    assert [address(verdict) for verdict in verdicts] == [
        "names/unregistered", "arguments/type", "allowed", "budget/max_tool_calls",
        "budget/max_tool_calls",
    ]  # fmt: skip


def test_each_run_has_a_budget_of_its_own() -> None:
    one = monitor(budget=1)
    assert one.judge("add", [1], {})[1].allowed
    assert not one.judge("add", [1], {})[1].allowed
    one.begin_run(2)
    assert [one.judge("add", [1], {})[1].allowed for _ in range(3)] == [True, True, False]


def test_nothing_is_allowed_before_a_run_has_begun() -> None:
    assert not Monitor([ADD], catch_all=True).judge("add", [1], {})[1].allowed


@pytest.mark.parametrize(
    "barrier", ["judge_name", "named_arguments", "judge_arguments", "judge_budget"]
)
@pytest.mark.parametrize("error", [ValueError("secret"), RecursionError(), KeyError("x")])
def test_a_barrier_that_breaks_denies(
    monkeypatch: pytest.MonkeyPatch, barrier: str, error: Exception
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise error

    assert monitor().judge("add", [1], {})[1].allowed  # the control
    monkeypatch.setattr(f"doublevm.monitor.{barrier}", broken)
    _, verdict = monitor().judge("add", [1], {})
    assert address(verdict) == "monitor/error"
    assert isinstance(verdict, Deny)
    assert type(error).__name__ in verdict.reason
    assert "secret" not in verdict.reason
