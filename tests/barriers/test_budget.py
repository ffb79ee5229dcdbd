from __future__ import annotations

from doublevm.barriers.budget import judge_budget
from doublevm.operation import Parameter, ToolSpec
from doublevm.shapes import Scalar
from tests.barriers.cases import ALLOWED, Denial, Harmless, Setting, Step, Table, answers, judge

OVER = "budget/max_tool_calls"
BLOCK_X = {"blocked_operation_patterns": ("x",)}
TOOLS = (ToolSpec("note:add", (Parameter("n", Scalar("int"), required=True),)),)


def calls(count: int) -> list[Step]:
    return [Step(f"note:{i}") for i in range(count)]


LAST = Step("note:last", expect=OVER)


class TestTable(Table):
    denials = (
        Denial(
            id="none-left-of-three",
            on=Setting(budget=3),
            steps=[*calls(3), LAST],
            off={"budget": 4},
            twin=calls(3),
        ),
        Denial(
            id="none-left-of-one",
            on=Setting(budget=1),
            steps=[*calls(1), LAST],
            off={"budget": 2},
            twin=calls(1),
        ),
        Denial(
            id="blocked-names-are-counted",
            on=Setting(budget=2, options=BLOCK_X),
            steps=[*(Step(name, expect="names/blocked") for name in ("x:1", "x:2")), LAST],
            off={"budget": 3},
            twin=calls(2),
        ),
        Denial(
            id="unknown-names-are-counted",
            on=Setting(budget=1, tools=(ToolSpec("note:last", ()),), catch_all=False),
            steps=[Step("nothing", expect="names/unregistered"), LAST],
            off={"budget": 2},
            twin=[Step("note:last")],
        ),
        Denial(
            id="wrong-arguments-are-counted",
            on=Setting(budget=1, tools=TOOLS, catch_all=False),
            steps=[
                Step("note:add", {"n": "1"}, expect="arguments/type"),
                Step("note:add", {"n": 1}, expect=OVER),
            ],
            off={"budget": 2},
            twin=[Step("note:add", {"n": 1})],
        ),
        Denial(
            id="suspicious-ones-are-counted",
            on=Setting(budget=1),
            steps=[Step("bulk:get", expect="sequence/BULK_OPERATION"), LAST],
            off={"budget": 2},
            twin=calls(1),
        ),
        Denial(
            id="it-says-so-again-and-again",
            on=Setting(budget=1),
            steps=[*calls(1), LAST, LAST, LAST],
            off={"budget": 4},
            twin=calls(1),
        ),
    )
    harmless = (Harmless("all-of-it", calls(50), Setting(budget=50)),)


def test_nothing_passes_a_budget_of_none() -> None:
    assert answers(Setting(budget=0), [LAST]) == [OVER]


def test_a_run_begins_with_the_whole_budget() -> None:
    monitor = Setting(budget=1).monitor()
    assert judge(monitor, Step("note:1")) == ALLOWED
    assert judge(monitor, Step("note:2")) == OVER
    monitor.begin_run(1)
    assert judge(monitor, Step("note:3")) == ALLOWED
    assert judge(monitor, Step("note:4")) == OVER


def test_before_a_run_begins_there_is_none() -> None:
    monitor = Setting(budget=1).monitor()
    monitor.begin_run(0)
    assert judge(monitor, Step("note:1")) == OVER


def test_the_reason_says_how_many_there_were() -> None:
    denial = judge_budget(8, 7)
    assert denial is not None
    assert denial.reason == "the run has used up its 7 tool calls"
    assert judge_budget(7, 7) is None
