from __future__ import annotations

import json

import pytest

from benchmarks.harness import Samples, interleave, middle, quotients, rotated
from benchmarks.page import page
from benchmarks.scenarios import SCENARIOS, Scenario, chosen
from benchmarks.tables import amount, groups, report, times
from benchmarks.targets import TARGETS, outcomes
from benchmarks.worker import UnavailableError


def scenario(name: str = "s", **options: object) -> Scenario:
    values: dict[str, object] = {"floor": "a", "contenders": ("b", "c"), **options}
    return Scenario(name, name, "calls", "calls", **values)  # type: ignore[arg-type]


def test_each_round_takes_every_contender_once_in_an_order_that_rotates() -> None:
    order = []

    def measure(name: str, _scenario: Scenario) -> float:
        order.append(name)
        return 1.0

    interleave([scenario()], 4, measure)
    assert "".join(order) == "abc" + "bca" + "cab" + "abc"


def test_scenarios_take_turns_in_a_round_and_some_have_enough_of_few() -> None:
    order = []

    def measure(_name: str, of: Scenario) -> float:
        order.append(of.name)
        return 1.0

    interleave(
        [scenario("x", contenders=()), scenario("y", contenders=(), max_rounds=1)], 2, measure
    )
    assert order == ["x", "y", "x"]


def test_ratios_are_between_neighbours_of_a_round() -> None:
    # A machine that is ten times slower in its second round: the ratio of the medians is 4.
    samples = Samples("floor", "s", {"floor": [1.0, 10.0, 2.0], "other": [3.0, 30.0, 8.0]})
    assert samples.ratios("other") == [3.0, 3.0, 4.0]
    assert samples.ratio("other") == 3.0
    assert samples.median("other") == 8.0
    assert samples.ratio("floor") == 1.0


def test_a_missing_sample_is_no_zero() -> None:
    assert quotients([1.0, None, 4.0], [2.0, 2.0, 0.0]) == [0.5, None, None]
    assert middle([None, 3.0, 1.0]) == 2.0
    assert middle([None]) is None


def test_rotation() -> None:
    assert rotated(["a", "b"], 3) == ["b", "a"]


def test_a_contender_that_is_missing_says_why_and_is_asked_once() -> None:
    asked = []

    def measure(name: str, _scenario: Scenario) -> float:
        asked.append(name)
        if name == "b":
            raise UnavailableError("not installed")
        return 1.0

    samples = interleave([scenario()], 3, measure)["s"]
    assert samples.missing == {"b": "not installed"}
    assert samples.ratio("b") is None
    assert samples.ratio("c") == 1.0
    assert asked.count("b") == 1


def test_a_contender_that_fails_later_leaves_the_rounds_aligned() -> None:
    taken = iter([1.0, 2.0])

    def measure(name: str, _scenario: Scenario) -> float:
        if name == "a":
            return 1.0
        value = next(taken, None)
        if value is None:
            raise UnavailableError("gone")
        return value

    samples = interleave([scenario(contenders=("b",))], 3, measure)["s"]
    assert sorted(map(str, samples.by_contender["b"])) == ["1.0", "2.0", "None"]
    assert samples.ratio("b") == 1.5


def test_a_missing_contender_is_a_dash_and_a_footnote() -> None:
    gather = next(each for each in SCENARIOS if each.name == "gather")
    found = {"gather": Samples("echo", "s", {"echo": [1e-5]}, {"pyeryx": "not installed"})}
    (group,) = groups(found)
    assert ["pyeryx", "– [1]"] in group.ratios
    assert group.notes == ["not installed"]
    assert gather.title in report(found)
    assert "[1] not installed" in report(found)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"),
        (2.5e-6, "s", "2.5 µs"),
        (4e-7, "s", "0.40 µs"),
        (3.5e6, "B", "3.5 MB"),
        (None, "s", "–"),
    ],
)
def test_amounts(value: float | None, unit: str, text: str) -> None:
    assert amount(value, unit) == text


def test_ratios_in_words() -> None:
    assert (times(1.234), times(576.4), times(None)) == ("1.23×", "576×", "–")


@pytest.mark.parametrize(
    ("samples", "reached"),
    [
        ({"doublevm-cpython": [27e-6], "echo": [1e-6]}, True),  # the figure
        ({"doublevm-cpython": [50e-6], "echo": [30e-6]}, True),  # what the floor allows
        ({"doublevm-cpython": [50e-6], "echo": [20e-6]}, False),
        ({"echo": [20e-6]}, None),
    ],
)
def test_a_target_is_reached_by_its_figure_or_by_its_floor(
    samples: dict[str, list[float | None]],
    reached: bool | None,  # noqa: FBT001
) -> None:
    found = {"call-core": Samples("echo", "s", samples)}
    first = outcomes(found)[0]
    assert first.target.what == "a tool call, cpython, one core"
    assert first.reached is reached


def test_a_floor_of_two_parts_is_their_sum() -> None:
    samples: dict[str, list[float | None]] = {
        "doublevm-monty": [100e-6],
        "monty": [30e-6],
        "echo": [10e-6],
    }
    outcome = outcomes({"call-core": Samples("echo", "s", samples)})[1]
    assert outcome.of_allowed == pytest.approx(100 / (30 + 17))


def test_targets_name_what_is_measured() -> None:
    known = {each.name: each.everybody for each in chosen()}
    for target in TARGETS:
        for name, contender in (target.of, *(place for _, place in target.floor)):
            assert contender in known[name], target.what


def test_names_are_chosen_by_group_or_by_beginning() -> None:
    assert {each.name for each in chosen("judging, cpu-f")} == {"judging", "cpu-fib"}
    assert {each.group for each in chosen("start")} == {"start"}
    assert len(chosen(quick=True)) < len(chosen())


def test_the_page_says_what_the_results_say() -> None:
    taken: dict[str, list[float | None]] = {"echo": [1e-5], "doublevm-monty": [9e-5]}
    results = {
        "machine": {"CPU": "an abacus"},
        "rounds": 1,
        "scenarios": {"call-core": Samples("echo", "s", taken).as_json()},
    }
    text = page(json.loads(json.dumps(results)))
    assert "- CPU: an abacus" in text
    assert "| doublevm, monty | 9× |" in text
