"""``doublevm audit stats``: right figures, and memory that does not grow with the trail."""

from __future__ import annotations

import json
import random
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from doublevm.cli.app import app
from doublevm.cli.looking.figures import Figures
from doublevm.cli.looking.sketch import ERROR, MOST_NAMES, Named, Quantiles
from doublevm.host.sinks.pairing import StoredOperation
from doublevm.host.sinks.reading import read_trail
from doublevm.verdict import Allow, Deny
from tests.looking.sample import entries, every_kind, hostile, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result


@given(st.lists(st.floats(1e-6, 1e5), min_size=1, max_size=300), st.floats(0, 1))
def test_a_quantile_is_as_near_as_it_says(values: list[float], part: float) -> None:
    sketch = Quantiles()
    for value in values:
        sketch.add(value)
    ordered = sorted(values)
    rank = part * (len(ordered) - 1)
    below, above = ordered[int(rank)], ordered[min(int(rank) + 1, len(ordered) - 1)]
    assert below * (1 - 1.01 * ERROR) <= sketch.at(part) <= above * (1 + 1.01 * ERROR)
    assert sketch.largest == ordered[-1]


def test_quantiles_of_nothing_and_of_zeros() -> None:
    sketch = Quantiles()
    assert sketch.at(0.5) == 0.0
    for value in (0.0, 0.0, 0.0, 1.0):
        sketch.add(value)
    assert sketch.at(0.5) == 0.0
    assert sketch.at(1.0) == pytest.approx(1.0, rel=ERROR)


def test_names_that_guests_make_up_do_not_drive_out_those_that_are_used() -> None:
    counts: Named[list[int]] = Named(list, len)
    for number in range(5 * MOST_NAMES):
        counts["used"].append(1)
        counts[f"made up {number}"].append(1)
    kept = list(counts)
    assert kept[0] == ("used", [1] * 5 * MOST_NAMES)
    assert len(kept) <= 2 * MOST_NAMES
    assert sum(len(each) for _, each in kept) + counts.others == 10 * MOST_NAMES


def stats(trail: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["audit", "stats", str(trail), *options])


@pytest.mark.parametrize("name", ["trail.jsonl", "trail.sqlite"])
def test_figures_of_a_trail(tmp_path: Path, name: str) -> None:
    trail = written(tmp_path / name, every_kind())
    found: dict[str, Any] = json.loads(stats(trail, "--json").stdout)
    assert found["operations"] == 12, "what was scored is no operation"
    assert found["verdicts"] == {"allow": 4, "deny": 7, "would_deny": 1}
    assert found["outcomes"] == {
        "denied": 7,
        "returned": 2,
        "raised": 1,
        "abandoned": 1,
        "unknown": 1,
    }
    assert found["rules"]["sequence/BULK_OPERATION"]["count"] == 2
    assert found["by_operation"]["kb:search"]["count"] == 5
    assert found["by_operation"]["kb:search"]["p50"] == pytest.approx(0.25, rel=ERROR)
    assert found["by_operation"]["kb:search"]["max"] == 0.25
    assert found["rate"]["peak"] == 1
    tried = found["rules"]["sequence/DELETE_AFTER_ACCESS"]
    assert (tried["count"], tried["would_deny"]) == (1, 1)
    assert found["rate"]["mean"] == pytest.approx(12 / 19)
    assert found["scores"] == {"count": 2, "blocked": 1, "mean": 62.5, "max": 90}
    only = json.loads(stats(trail, "--json", "--rule", "names/unregistered").stdout)
    assert (only["operations"], list(only["by_operation"])) == (1, ["shell:run"])


def test_they_agree_with_each_operation_counted_by_itself(tmp_path: Path) -> None:
    for name in ("trail.jsonl", "trail.sqlite"):
        reader = read_trail(written(tmp_path / name, entries(2000)))
        everything = list(reader.operations())
        found = Figures().add(reader.operations(ordered=False)).as_object()
        denied = [each for each in everything if isinstance(each.verdict, Deny)]
        assert (found["operations"], found["verdicts"]["deny"]) == (2000, len(denied))
        seconds = [int(each.time) for each in everything]
        assert found["rate"]["peak"] == max(map(seconds.count, set(seconds)))
        for tool, figures in found["by_operation"].items():
            assert figures["count"] == sum(each.operation == tool for each in everything)
        took = sorted(
            each.duration
            for each in everything
            if each.operation == "kb:search" and each.outcome in ("returned", "raised")
        )
        p95 = found["by_operation"]["kb:search"]["p95"]
        assert p95 == pytest.approx(took[int(0.95 * (len(took) - 1))], rel=0.05)


def test_for_people(tmp_path: Path) -> None:
    done = stats(written(tmp_path / "trail.sqlite", every_kind()))
    assert done.exit_code == 0, done.stderr
    assert (
        "12 in 1 conversation: 4 allowed · 7 denied · 1 would be denied · 1 without an outcome"
    ) in done.stdout
    assert "1 were let through" in done.stdout
    assert "at most 1 in the second from 2026-03-01 12:00:02" in done.stdout
    assert "2 programs · mean 62.5 · largest 90 · 1 blocked" in done.stdout
    assert "\x1b" not in done.stdout


def test_of_nothing_and_of_hostile_names(tmp_path: Path) -> None:
    done = stats(written(tmp_path / "trail.sqlite", []))
    assert (done.exit_code, done.stdout.splitlines()[1]) == (
        0,
        "0 in 0 conversations: 0 allowed · 0 denied",
    )
    done = stats(written(tmp_path / "hostile.sqlite", hostile()))
    assert done.exit_code == 0
    assert not set(done.stdout) & set("\x00\x07\x1b\x7f\x9b\u202e\u2028")


def operations(count: int) -> Iterator[StoredOperation]:
    """All different, in everything that a guest may choose."""
    chance = random.Random(1)  # noqa: S311 - nothing is kept secret by it
    for number in range(count):
        verdict = Deny("names", "unregistered", "") if number % 2 else Allow()
        name = f"name {number}" if number % 2 else f"tool {number % 10}"
        outcome: Any = "denied" if number % 2 else "returned"
        duration = chance.lognormvariate(-4, 2)
        yield StoredOperation(
            number, "e", number, number, number / 3, name, {}, verdict, outcome, duration
        )


def test_memory_does_not_grow_with_the_trail() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            Figures().add(operations(count))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    few, many = peak(15_000), peak(45_000)
    assert many < 1.5 * few
