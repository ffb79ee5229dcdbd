"""What doublevm is meant to cost, and whether it does.

A target is a figure, measured on a quiet machine, or what the floor allows in the same run: on a
slower or busier machine the second is the one that counts, so reaching either is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.harness import Samples, middle, quotients

if TYPE_CHECKING:
    from collections.abc import Mapping

Place = tuple[str, str]
"""A scenario and a contender."""


@dataclass(frozen=True)
class Target:
    """At most so much of something."""

    what: str
    text: str
    """The target in words."""
    of: Place
    at_most: float | None = None
    """Seconds or bytes."""
    floor: tuple[tuple[float, Place], ...] = ()
    """Factors and places; their sum is what is allowed beside them."""
    count: bool = False
    """Whether it is shown as how many there are in a second."""


@dataclass(frozen=True)
class Outcome:
    """A target beside what was measured."""

    target: Target
    unit: str
    measured: float | None
    of_allowed: float | None
    """The measured as a share of what the floor allows; None if the target names no floor."""

    @property
    def reached(self) -> bool | None:
        """Whether it is reached; None if it was not measured."""
        if self.measured is None:
            return None
        if self.target.at_most is not None and self.measured <= self.target.at_most:
            return True
        return self.of_allowed is not None and self.of_allowed <= 1


def _call(engine: str, text: str, at_most: float, floor: tuple[tuple[float, Place], ...]) -> Target:
    what = f"a tool call, {engine}, one core"
    return Target(what, text, ("call-core", f"doublevm-{engine}"), at_most, floor)


def _spread(engine: str) -> Target:
    name = f"doublevm-{engine}"
    return Target(
        f"a tool call, {engine}, placed by the scheduler",
        "1.5× the same on one core",
        ("call", name),
        floor=((1.5, ("call-core", name)),),
    )


def _cold(engine: str) -> Target:
    return Target(
        f"import and first result, {engine}", "120 ms", ("cold", f"doublevm-{engine}"), 0.120
    )


def _memory(engine: str) -> Target:
    return Target(
        f"a live pair, {engine}, USS", "3.5 MB", ("memory-uss-10", f"doublevm-{engine}"), 3.5e6
    )


def _cpu(name: str) -> Target:
    # 5 % of slack, as no two runs of the same take the same time.
    return Target(
        f"pure CPU, cpython, {name}",
        "1.0× CPython",
        (f"cpu-{name}", "doublevm-cpython"),
        floor=((1.05, (f"cpu-{name}", "python")),),
    )


TARGETS: Final = (
    _call("cpython", "28 µs, or 1.8× the echo", 28e-6, ((1.8, ("call-core", "echo")),)),
    _call(
        "monty",
        "48 µs, or bare resume + 1.7× the echo",
        48e-6,
        ((1.0, ("call-core", "monty")), (1.7, ("call-core", "echo"))),
    ),
    _spread("cpython"),
    _spread("monty"),
    Target("a fresh run, cpython", "0.4 ms", ("fresh", "doublevm-cpython"), 0.4e-3),
    Target(
        "a fresh run, monty",
        "2× a bare session",
        ("fresh", "doublevm-monty"),
        floor=((2.0, ("fresh", "monty")),),
    ),
    Target(
        "fresh runs per second, monty, one core",
        "3,000",
        ("rate-core", "doublevm-monty"),
        1 / 3000,
        count=True,
    ),
    Target(
        "fresh runs per second, cpython, one core",
        "0.6× bare fork and wait",
        ("rate-core", "doublevm-cpython"),
        floor=((1 / 0.6, ("rate-core", "fork")),),
        count=True,
    ),
    _cold("cpython"),
    _cold("monty"),
    _memory("cpython"),
    _memory("monty"),
    Target("judging one operation", "10 µs", ("judging", "1,000 before it"), 10e-6),
    Target(
        "the same after 100,000 others",
        "no more than after 10",
        ("judging", "100,000 before it"),
        # Slack, as above: more memory is looked at, by the caches if not by the code.
        floor=((1.5, ("judging", "10 before it")),),
    ),
    *(_cpu(name) for name in ("fib", "loops", "strings", "dicts", "json")),
)


def outcomes(found: Mapping[str, Samples]) -> list[Outcome]:
    """Return every target beside what was measured, where it was."""
    return [_outcome(each, found) for each in TARGETS if each.of[0] in found]


def _outcome(target: Target, found: Mapping[str, Samples]) -> Outcome:
    def samples(place: Place) -> list[float | None]:
        name, contender = place
        return found[name].by_contender.get(contender, []) if name in found else []

    measured = samples(target.of)
    share = None
    if target.floor:
        parts = [
            [_times(factor, each) for each in samples(place)] for factor, place in target.floor
        ]
        allowed = [_sum(row) for row in zip(*parts, strict=False)]
        share = middle(quotients(measured, allowed))
    return Outcome(target, found[target.of[0]].unit, middle(measured), share)


def _times(factor: float, sample: float | None) -> float | None:
    return None if sample is None else factor * sample


def _sum(row: tuple[float | None, ...]) -> float | None:
    there = [each for each in row if each is not None]
    return sum(there) if len(there) == len(row) else None
