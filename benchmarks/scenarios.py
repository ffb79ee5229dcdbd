"""What is measured, as a table: each scenario once, with its floor and who takes part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

DOUBLEVM: Final = (
    "doublevm-monty",
    "doublevm-cpython",
    "doublevm-monty-async",
    "doublevm-cpython-async",
)
PEERS: Final = (
    "monty",
    "monty-run",
    "pyeryx",
    "smolagents",
    "restricted",
    "subprocess",
)
EVERYBODY: Final = DOUBLEVM + PEERS


@dataclass(frozen=True)
class Scenario:
    """One thing to measure."""

    name: str
    title: str
    kind: str
    """Which function of ``measures`` measures it."""
    group: str
    floor: str
    """The contender by which the others are divided."""
    contenders: tuple[str, ...] = EVERYBODY
    unit: str = "s"
    """``s`` for seconds, ``B`` for bytes; always of one run, call, turn or pair."""
    times: int = 1
    size: int = 0
    program: str = ""
    one_core: bool = False
    """Whether all processes are put on one core; else the scheduler places them."""
    max_rounds: int = 1000
    quick: bool = True
    """Whether ``--quick`` measures it too."""

    @property
    def everybody(self) -> tuple[str, ...]:
        """The floor and the contenders."""
        return (self.floor, *(name for name in self.contenders if name != self.floor))


def _both(scenario: Scenario) -> Iterator[Scenario]:
    """Yield a scenario and the same on one core."""
    yield scenario
    yield replace(
        scenario, name=f"{scenario.name}-core", title=f"{scenario.title}, one core", one_core=True
    )


def _starts() -> Iterator[Scenario]:
    yield Scenario("cold", "import and first result", "cold", "start", "python")
    fresh = Scenario("fresh", "fresh run, warm", "fresh", "start", "fork", times=10)
    yield from _both(fresh)
    rate = Scenario("rate", "fresh runs back to back", "rate", "start", "fork", times=30)
    yield from _both(rate)


def _calls() -> Iterator[Scenario]:
    yield Scenario("call1", "a run with 1 call", "whole", "calls", "echo", times=1, size=1)
    yield from _both(
        Scenario("call", "1 of 1,000 in a row", "calls", "calls", "echo", times=1000, size=1)
    )
    yield Scenario("gather", "1 of 100 at once", "gather", "calls", "echo", times=100, size=1)


def _payloads() -> Iterator[Scenario]:
    for size, label, times in ((100, "100 B", 200), (10**4, "10 kB", 100), (10**6, "1 MB", 5)):
        yield Scenario(
            f"payload-{size}", label, "calls", "payloads", "echo", times=times, size=size
        )


def _cpu() -> Iterator[Scenario]:
    everybody = tuple(name for name in EVERYBODY if not name.endswith(("-async", "-run")))
    for name in ("fib", "loops", "strings", "dicts", "json"):
        yield Scenario(
            f"cpu-{name}", name, "cpu", "cpu", "python", everybody, program=name, times=1000
        )


def _memory() -> Iterator[Scenario]:
    those = ("doublevm-monty", "doublevm-cpython", "monty", "pyeryx", "smolagents", "restricted")
    for pairs in (1, 10, 100):
        for metric in ("uss", "pss"):
            yield Scenario(
                f"memory-{metric}-{pairs}",
                f"{metric.upper()} each, {pairs} alive",
                "memory",
                "memory",
                "subprocess",
                those,
                unit="B",
                times=pairs,
                program=metric,
                max_rounds=1,
                quick=pairs < 100,  # noqa: PLR2004 - the row that takes long
            )


def _crowds() -> Iterator[Scenario]:
    those = (*DOUBLEVM, "monty", "monty-run", "subprocess")
    for size in (1, 4, 16, 64):
        yield Scenario(
            f"crowd-{size}",
            f"{size} at once",
            "crowd",
            "crowds",
            "echo",
            those,
            times=size,
            max_rounds=2,
            quick=size <= 4,  # noqa: PLR2004 - those that take long
        )


def _shares() -> Iterator[Scenario]:
    for role in ("host", "parent VM", "inner VM"):
        yield Scenario(
            f"share-{role.partition(' ')[0]}",
            role,
            "share",
            "shares",
            "echo",
            DOUBLEVM,
            times=1000,
            program=role,
        )


SCENARIOS: Final = tuple(
    each
    for part in (_starts, _calls, _payloads, _cpu, _shares, _memory, _crowds)
    for each in part()
)

JUDGED: Final = Scenario(
    "judging",
    "one operation",
    "judging",
    "judging",
    "10 before it",
    ("1,000 before it", "100,000 before it"),
    max_rounds=3,
)
"""Measured in this process, by ``judging.py``: what is compared are lengths of the history."""


def chosen(only: str = "", *, quick: bool = False) -> tuple[Scenario, ...]:
    """Return the scenarios whose name or group is, or begins with, one of those in ``only``."""
    wanted = tuple(part.strip() for part in only.split(",") if part.strip())
    return tuple(
        each
        for each in (*SCENARIOS, JUDGED)
        if (each.quick or not quick)
        and (not wanted or each.group in wanted or each.name.startswith(wanted))
    )
