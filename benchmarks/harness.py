"""Interleaved rounds, medians, and ratios between neighbours.

Each round takes every scenario, and in each scenario one sample of every contender, the floor among
them, in an order that rotates. So what else the machine does falls on all of them alike, and a
ratio of two samples of one round is worth more than one of two medians. The median of those ratios
is what a table shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.worker import UnavailableError, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Self

    from benchmarks.scenarios import Scenario

    Measure = Callable[[str, Scenario], float]

Sample = float | None


@dataclass
class Samples:
    """What was measured in one scenario: for each contender one sample per round."""

    floor: str
    unit: str
    by_contender: dict[str, list[Sample]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Why there is nothing of a contender."""

    def median(self, contender: str) -> Sample:
        """Return the median of a contender's samples; None if it has none."""
        return middle(self.by_contender.get(contender, ()))

    def ratio(self, contender: str) -> Sample:
        """Return how many times the floor a contender takes: the median over the rounds."""
        return middle(self.ratios(contender))

    def ratios(self, contender: str) -> list[Sample]:
        """Return each round's ratio of a contender and its neighbour, the floor."""
        return quotients(
            self.by_contender.get(contender, ()), self.by_contender.get(self.floor, ())
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values; ``from_json`` reads them."""
        return {
            "floor": self.floor,
            "unit": self.unit,
            "samples": self.by_contender,
            "missing": self.missing,
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        """Return what ``as_json`` has written."""
        return cls(found["floor"], found["unit"], found["samples"], found["missing"])


def middle(samples: Iterable[Sample]) -> Sample:
    """Return the median of the samples that there are."""
    there = [each for each in samples if each is not None]
    return median(there) if there else None


def quotients(upper: Sequence[Sample], lower: Sequence[Sample]) -> list[Sample]:
    """Divide round by round, where both have a sample and the lower one is above zero."""
    return [
        a / b if a is not None and b is not None and b > 0 else None
        for a, b in zip(upper, lower, strict=False)
    ]


def rotated(names: Sequence[str], turn: int) -> list[str]:
    """Return the names, beginning with another one each turn."""
    start = turn % len(names)
    return [*names[start:], *names[:start]]


def interleave(
    scenarios: Sequence[Scenario],
    rounds: int,
    measure: Measure,
    note: Callable[[str], None] = lambda _text: None,
) -> dict[str, Samples]:
    """Take all samples of all rounds.

    A contender that cannot be measured in a scenario is left out of its later rounds, and its
    reason kept.
    """
    found = {each.name: Samples(each.floor, each.unit) for each in scenarios}
    for turn in range(rounds):
        for scenario in scenarios:
            if turn >= scenario.max_rounds:
                continue
            note(f"round {turn + 1} of {rounds}: {scenario.group}, {scenario.title}")
            _one_round(scenario, turn, measure, found[scenario.name])
    return found


def _one_round(scenario: Scenario, turn: int, measure: Measure, samples: Samples) -> None:
    for name in rotated(scenario.everybody, turn):
        if name in samples.missing:
            continue
        taken = samples.by_contender.setdefault(name, [])
        try:
            taken.append(measure(name, scenario))
        except UnavailableError as error:
            if not taken:
                samples.missing[name] = str(error)
                del samples.by_contender[name]
            else:
                # It could before: one lost sample, and the rounds stay aligned.
                taken.append(None)


class Workers:
    """The contenders' processes, each started when it is first needed."""

    def __init__(self) -> None:
        self._workers: dict[tuple[str, bool, int], Worker] = {}

    def measure(self, contender: str, scenario: Scenario) -> float:
        """Return one sample.

        Raises:
            UnavailableError: there is none.
        """
        # What a process has once used it may keep: memory is looked at in one that is new.
        place = (contender, scenario.one_core, scenario.times if scenario.kind == "memory" else 0)
        if place not in self._workers:
            self._workers[place] = Worker(contender, one_core=scenario.one_core)
        try:
            return self._workers[place].measure(scenario)
        except UnavailableError:
            if not self._workers[place].alive:
                self._workers.pop(place).close()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all of them."""
        while self._workers:
            self._workers.popitem()[1].close()
