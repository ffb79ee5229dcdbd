from __future__ import annotations

import pytest

from doublevm.guard.scoring.grade import decided, reason, signal_of, total
from doublevm.guard.scoring.rules import RULES
from doublevm.guard.scoring.rules.hit import Hit
from doublevm.score import LONGEST_TEXT, Score, Signal
from tests.scoring.programs import signals_of

SPECIFIED = {
    "SENSITIVE_FIELD": 35,
    "EXCESSIVE_LIMIT": 25,
    "WILDCARD_QUERY": 20,
    "LOOP_TOOL_CALL": 25,
    "EXFIL_PATTERN": 50,
    "EXTREME_VALUE": 30,
    "DYNAMIC_TOOL": 20,
    "BULK_OPERATION": 15,
}

EVERYTHING = """
rows = users.get_all(query="*", limit=5_000_000)
for row in rows:
    mail.send(text=row["password"])
    call_tool(row["tool"])
"""


def test_the_points_are_those_of_the_specification() -> None:
    assert {name: rule.points for name, rule in RULES.items()} == SPECIFIED


def test_points_add_up_to_a_hundred_at_most() -> None:
    found = signals_of(EVERYTHING)
    assert found.keys() == SPECIFIED.keys()
    assert sum(signal.points for signal in found.values()) == 220
    assert total(found.values()) == 100
    assert total([found["EXFIL_PATTERN"], found["LOOP_TOOL_CALL"]]) == 75
    assert total([]) == 0


def test_signals_come_in_the_order_of_the_rules() -> None:
    assert list(signals_of(EVERYTHING)) == list(RULES)


def test_a_rule_counts_once_at_its_first_place() -> None:
    hits = [Hit(3, 1, "c"), Hit(1, 9, "b"), Hit(1, 2, "a")]
    assert signal_of("X", 5, hits) == Signal("X", 5, 1, 2, "a", 3)
    assert signal_of("X", 5, []) is None


def test_what_is_said_can_be_sent() -> None:
    signal = signal_of("X", 5, [Hit(1, 1, "\ud800" + "a" * 2000)])
    assert signal is not None
    assert len(signal.message) == LONGEST_TEXT
    assert signal.message.startswith("\\ud800aaa")


@pytest.mark.parametrize(
    ("score", "failure", "fail_open", "expected"),
    [
        (0, "", False, "allow"),
        (39, "", False, "allow"),
        (40, "", False, "warn"),
        (69, "", True, "warn"),
        (70, "", False, "block"),
        (100, "", True, "block"),
        (0, "it broke", False, "block"),
        (0, "it broke", True, "warn"),
        (40, "it broke", True, "warn"),
        (70, "it broke", True, "block"),
    ],
)
def test_decisions(*, score: int, failure: str, fail_open: bool, expected: str) -> None:
    got = decided(score, (), block=70, warn=40, fail_open=fail_open, failure=failure)
    assert got == Score(score, (), expected, failure)  # type: ignore[arg-type]


def test_a_reason_says_what_can_be_changed() -> None:
    found = (Signal("A", 50, 3, 1, "this flows"), Signal("B", 25, 2, 1, "a loop", 3))
    assert reason(Score(75, found, "block"), 70) == (
        "it scores 75 of 100, and 70 is too much: A 50 (line 3: this flows); "
        "B 25 (line 2 and 2 more: a loop)"
    )
    assert reason(Score(90, (), "block"), 70) == "it scores 90 of 100, and 70 is too much"
    assert reason(Score(10, (), "block", "no answer"), 70) == "scoring it has failed: no answer"
