"""The order of judging: each pair of neighbouring barriers objects, and the first one answers."""

from __future__ import annotations

from typing import Any

import pytest

import doublevm.monitor
from doublevm.monitor import GIVEN_UP, Hold, Monitor
from doublevm.operation import Operation, Parameter, ToolSpec
from doublevm.policy import ParentValidation, SuspiciousPattern
from doublevm.shapes import Scalar
from doublevm.verdict import Allow, Deny, Verdict, WouldDeny
from tests.barriers.cases import ALLOWED, Setting, Step, answers, judge

TOOLS = tuple(
    ToolSpec(name, (Parameter("limit", Scalar("int"), required=False),))
    for name in ("x:list", "users:list", "bulk:list")
)
ALWAYS = SuspiciousPattern(id="ALWAYS", description="always", detect=lambda *_: True)
NEVER = SuspiciousPattern(id="NEVER", description="never", detect=lambda *_: False)
OPTIONS = {
    "blocked_operation_patterns": ("^x:",),
    "allowed_operation_pattern": "(users|bulk|x):.*",
    "max_operations_per_second": 1,
}

VALUES, TYPE, BINDING = "arguments/values", "arguments/type", "arguments/binding"
RATE, BUDGET = "rate/max_operations_per_second", "budget/max_tool_calls"


def monitor(budget: int = 100, *, used: bool = False, **options: Any) -> Monitor:
    """One second of it may be used up."""
    made = Monitor(TOOLS, ParentValidation(**{**OPTIONS, **options}))
    made.begin_run(budget + used)
    if used:
        assert judge(made, Step("users:list")) == ALLOWED
    return made


@pytest.mark.parametrize(
    ("name", "args", "expected", "mended"),
    [
        # Both at fault: which one answers; and what the other one says once that is mended.
        ("no name", {"limit": "x"}, "names/grammar", ("users:list", TYPE)),
        ("x:none", {"limit": "x"}, "names/unregistered", ("users:list", TYPE)),
        ("x:list", {"limit": "x"}, TYPE, ("users:list", TYPE)),
        ("x:list", {"size": 1}, BINDING, ("users:list", BINDING)),
        ("x:list", {"limit": 1}, "names/blocked", ("users:list", BUDGET)),
        ("users:list", {"limit": 1}, BUDGET, ("x:list", "names/blocked")),
    ],
)
def test_with_no_budget_left(name: str, args: Any, expected: str, mended: tuple[str, str]) -> None:
    assert judge(monitor(0, used=True), Step(name, args)) == expected
    assert judge(monitor(0, used=True), Step(mended[0], args)) == mended[1]


def test_what_cannot_be_read_comes_first() -> None:
    attempt = monitor(0).attempt("no name", (), {}, "too deep")
    assert attempt.objection == Deny("arguments", "values", "too deep")
    attempt = monitor(0).attempt("no name", (), {"a": object()})
    assert attempt.objection is not None
    assert attempt.objection.address == VALUES


@pytest.mark.parametrize("readable", [True, False])
def test_what_cannot_be_read_is_remembered_by_name(*, readable: bool) -> None:
    made = monitor(suspicious_patterns=(NEVER,))  # so that arguments are kept
    args = {"a": object()} if readable else {}
    attempt = made.attempt("users:list", (), args, "" if readable else "x" * 5000)
    assert attempt.operation.name == "users:list"
    assert attempt.operation.args == {}
    verdict = made.decide(attempt, 7.0)
    assert isinstance(verdict, Deny)
    assert verdict.reason == "x" * 1000 or verdict.reason.startswith("arguments['a'] is of type")
    assert [(each.name, each.args, each.allowed) for each in made.history] == [
        ("users:list", {}, False)
    ]


def test_what_does_not_fit_is_called_by_name() -> None:
    attempt = monitor().attempt("users:list", (), {"size": 1})
    assert attempt.objection is not None
    assert attempt.objection.reason == "there is no argument 'size'; it takes (limit=…)"


def test_blocked_comes_before_not_allowed() -> None:
    users_only: dict[str, Any] = {"allowed_operation_pattern": "users:.*"}
    assert judge(monitor(**users_only), Step("x:list")) == "names/blocked"
    users_only["blocked_operation_patterns"] = ()
    assert judge(monitor(**users_only), Step("x:list")) == "names/not_allowed"


def test_budget_comes_before_rate_and_rate_before_sequences() -> None:
    assert judge(monitor(0, used=True), Step("bulk:list")) == BUDGET
    assert judge(monitor(1, used=True), Step("bulk:list")) == RATE
    assert judge(monitor(1, used=True), Step("bulk:list", at=1.0)) == "sequence/BULK_OPERATION"
    assert judge(monitor(1, used=True), Step("users:list", at=1.0)) == ALLOWED


def test_built_in_patterns_come_before_the_hosts_own() -> None:
    made = monitor(suspicious_patterns=(ALWAYS,))
    assert judge(made, Step("bulk:list")) == "sequence/BULK_OPERATION"
    assert judge(made, Step("users:list")) == "sequence/ALWAYS"


def test_waiting_stands_in_the_place_of_the_rate() -> None:
    made = monitor(2, used=True, on_rate_limit="wait")
    blocked = made.attempt("x:list", (), {})
    assert isinstance(made.decide(blocked, 0.0), Deny)
    bulk = made.attempt("bulk:list", (), {})
    assert made.decide(bulk, 0.5) == Hold(0.5)
    verdict = made.decide(bulk, 1.0)
    assert isinstance(verdict, Deny)
    assert verdict.address == "sequence/BULK_OPERATION"


def test_every_attempt_costs_budget_whoever_objects() -> None:
    made = monitor(6)
    steps = ["no name", "x:none", "x:list", "bulk:list", "users:list", "users:list", "users:list"]
    assert [judge(made, Step(name)) for name in steps] == [
        "names/grammar",
        "names/unregistered",
        "names/blocked",
        "sequence/BULK_OPERATION",
        ALLOWED,
        RATE,
        BUDGET,
    ]


BARRIERS = ["judge_name", "named_arguments", "judge_arguments", "judge_patterns", "judge_budget"]


def explode(*_args: Any, **_kwargs: Any) -> Any:
    raise ZeroDivisionError("secret")


def verdict_of(made: Monitor, name: str = "users:list") -> Verdict:
    verdict = made.decide(made.attempt(name, (), {}), 0.0)
    assert not isinstance(verdict, Hold)
    return verdict


BROKEN = Deny("monitor", "error", "judging failed: ZeroDivisionError")


@pytest.mark.parametrize("barrier", [*BARRIERS, "judge_custom"])
def test_a_barrier_that_raises_denies(barrier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = monitor(
        suspicious_patterns=(SuspiciousPattern(id="A", description="odd", detect=lambda *_: False),)
    )
    monkeypatch.setattr(doublevm.monitor, barrier, explode)
    assert made.attempt("users:list", (), {}).operation == Operation("users:list", {})
    assert verdict_of(made) == BROKEN
    assert [entry.allowed for entry in made.history] == [False]
    monkeypatch.undo()
    assert verdict_of(monitor()) == Allow()


@pytest.mark.parametrize("method", ["judge", "wait"])
def test_a_rate_barrier_that_raises_denies(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"doublevm.barriers.rate.RateBarrier.{method}", explode)
    assert verdict_of(monitor(on_rate_limit="wait")) == BROKEN


@pytest.mark.parametrize("pattern", ["_After", "RapidEnumeration", "BulkOperation"])
def test_a_built_in_pattern_that_raises_denies(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"doublevm.barriers.sequence.{pattern}.detect", explode)
    assert verdict_of(monitor()) == BROKEN
    assert verdict_of(monitor(block_suspicious_sequences=False)) == Allow()


def test_without_a_policy_registration_arguments_and_budget_are_judged() -> None:
    made = Monitor(TOOLS, None)
    made.begin_run(30)
    assert judge(made, Step("no name")) == "names/grammar"
    assert judge(made, Step("none")) == "names/unregistered"
    assert judge(made, Step("users:list", {"limit": "1"})) == TYPE
    for _ in range(27):
        assert judge(made, Step("bulk:list", {"limit": 5000})) == ALLOWED
    assert judge(made, Step("bulk:list")) == BUDGET


def test_a_clock_that_goes_backwards_is_held_still() -> None:
    made = monitor(max_operations_per_second=2)
    assert judge(made, Step("users:list", at=100.0)) == ALLOWED
    assert judge(made, Step("users:list", at=50.0)) == ALLOWED
    assert judge(made, Step("users:list", at=0.0)) == RATE
    assert judge(made, Step("users:list", at=100.5)) == RATE
    assert judge(made, Step("users:list", at=101.0)) == ALLOWED
    times = [entry.timestamp for entry in made.history]
    assert times == [100.0, 100.0, 100.0, 100.5, 101.0]


def test_catch_all_takes_every_well_formed_name() -> None:
    assert answers(Setting(), [Step("anything:at/all")]) == [ALLOWED]
    assert answers(Setting(catch_all=False), [Step("anything:at/all", expect="-")]) == [
        "names/unregistered"
    ]


def test_who_gives_up_while_held_back_is_denied_and_remembered() -> None:
    made = monitor(2, used=True, on_rate_limit="wait")
    attempt = made.attempt("users:list", (), {})
    assert made.decide(attempt, 0.5) == Hold(0.5)
    denial = made.give_up(attempt)
    assert denial == GIVEN_UP
    assert denial.address == RATE
    assert denial.reason == "the run's time was up while it was held back"
    times = [(entry.name, entry.timestamp, entry.allowed) for entry in made.history]
    assert times == [("users:list", 0.0, True), ("users:list", 0.5, False)]
    # It is not counted as accepted, and the clock stands where it was asked last.
    assert made.now == 0.5
    assert made.decide(made.attempt("users:list", (), {}), 0.0) == Hold(0.5)


MINE = Deny("sequence", "MINE", "mine")
TRIED = WouldDeny("sequence", "MINE", "mine")


@pytest.mark.parametrize(
    ("name", "after", "expected"),
    [
        ("users:list", None, Allow()),
        ("users:list", MINE, MINE),
        ("users:list", TRIED, TRIED),
        ("x:list", MINE, MINE),
        ("x:list", TRIED, WouldDeny("names", "blocked", "its name is blocked")),
        ("no name", MINE, None),
        ("no name", TRIED, None),
    ],
)
def test_an_objection_from_elsewhere_comes_after_all_barriers(
    name: str, after: Deny | WouldDeny | None, expected: Verdict | None
) -> None:
    made = monitor(enforce=False)
    verdict = made.decide(made.attempt(name, (), {}), 1.0, after)
    if expected is None:
        assert isinstance(verdict, Deny)
        assert verdict.address == "names/grammar"
    else:
        assert verdict == expected
    assert [entry.allowed for entry in made.history] == [not isinstance(verdict, Deny)]


def test_who_is_held_is_held_whatever_else_is_objected() -> None:
    made = monitor(2, used=True, on_rate_limit="wait")
    assert made.decide(made.attempt("users:list", (), {}), 0.5, MINE) == Hold(0.5)
