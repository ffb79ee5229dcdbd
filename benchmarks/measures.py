"""How each kind of scenario is measured, by nothing but a contender's ``run``.

Where a single call or turn is asked for, a run without any is timed beside it and taken off: what
is left is what the call costs, and not the guest around it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Final

from benchmarks import procfs, programs

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contenders.base import Contender
    from benchmarks.scenarios import Scenario

PAUSE: Final = 0.005
"""Seconds between two fresh runs: what is prepared for the next one has the time to be."""
CROWD_CALLS: Final = 100
SETTLE: Final = 0.5
"""Seconds until idle processes are idle."""


def timed(contender: Contender, source: str, expected: object) -> float:
    """Return the seconds of a run, and make sure that it did its work."""
    began = perf_counter()
    answer = contender.run(source)
    took = perf_counter() - began
    if answer != expected:
        raise AssertionError(f"the program returned {answer!r}, not {expected!r}")
    return took


def cold(contender: Contender, _scenario: Scenario) -> float:
    """From starting an interpreter to the first result."""
    began = perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", contender.cold],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    ) as process:
        assert process.stdout is not None
        answer = process.stdout.readline()
        took = perf_counter() - began
    if answer != b"2\n":
        raise AssertionError(f"the program printed {answer!r}, not 2")
    return took


def fresh(contender: Contender, scenario: Scenario) -> float:
    """The median of runs with a pause between them."""
    contender.run(programs.FRESH)
    taken = []
    for _ in range(scenario.times):
        time.sleep(PAUSE)
        taken.append(timed(contender, programs.FRESH, 2))
    return median(taken)


def rate(contender: Contender, scenario: Scenario) -> float:
    """One of many runs without a pause."""
    contender.run(programs.FRESH)
    began = perf_counter()
    for _ in range(scenario.times):
        contender.run(programs.FRESH)
    return (perf_counter() - began) / scenario.times


def whole(contender: Contender, scenario: Scenario) -> float:
    """A run with its calls, as a user would see it; the median of some."""
    source = programs.calls(contender.call, scenario.times, scenario.size)
    contender.renew()
    contender.run(source)
    expected = scenario.times * scenario.size
    return median(timed(contender, source, expected) for _ in range(9))


def calls(contender: Contender, scenario: Scenario) -> float:
    """One of many calls in a row."""
    empty, some, full = (
        programs.calls(contender.call, times, scenario.size)
        for times in (0, scenario.times // 10 + 1, scenario.times)
    )
    contender.renew()
    contender.run(some)  # to warm up
    without = min(timed(contender, empty, 0) for _ in range(3))
    took = timed(contender, full, scenario.times * scenario.size)
    # Where a call is a call of a function, what is left may be nothing that can be measured.
    return max(took - without, 0.0) / scenario.times


def gather(contender: Contender, scenario: Scenario) -> float:
    """One of many calls that are awaited together."""
    source = programs.gather(contender.call, scenario.times)
    contender.renew()
    contender.run(source)
    without = min(timed(contender, programs.gather(contender.call, 0), 0) for _ in range(3))
    return (timed(contender, source, scenario.times) - without) / scenario.times


def cpu(contender: Contender, scenario: Scenario) -> float:
    """One turn of a program that computes and calls nothing."""
    turns = max(1, int(scenario.times * contender.pace))
    without = min(timed(contender, programs.cpu(scenario.program, 0), 0) for _ in range(3))
    took = timed(
        contender, programs.cpu(scenario.program, turns), programs.ANSWERS[scenario.program]
    )
    return (took - without) / turns


def memory(contender: Contender, scenario: Scenario) -> float:
    """Bytes that one of some live guests takes: of its processes, or of this one if it has none."""
    if scenario.times not in _both_metrics:
        _both_metrics[scenario.times] = _memory(contender, scenario.times)
    return _both_metrics[scenario.times].pop(scenario.program)


_both_metrics: Final[dict[int, dict[str, float]]] = {}
"""USS and PSS by the number of guests: 100 are started once, for both of their rows."""


def _memory(contender: Contender, number: int) -> dict[str, float]:
    kind = type(contender)
    before = procfs.memory_of_this()
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(kind()).hold()
        time.sleep(SETTLE)
        total = procfs.memory_below() if procfs.started_below() else procfs.memory_of_this()
        alone = {} if procfs.started_below() else before
    return {name: max(0, total[name] - alone.get(name, 0)) / number for name in total}


def crowd(contender: Contender, scenario: Scenario) -> float:
    """A run with some calls, beside others: the time of all of them over their number."""
    source = programs.calls(contender.call, CROWD_CALLS, 1)
    return type(contender).crowd(source, CROWD_CALLS, scenario.times) / scenario.times


def share(contender: Contender, scenario: Scenario) -> float:
    """CPU time that one call takes in one of the processes, as the kernel has counted it.

    Looked at by the tool itself, at the first and at the last call: then the guest is alive. What
    started first after the host is the parent VM, what started last the inner VM.
    """
    watches: list[procfs.CpuWatch] = []
    count, taken = 0, 0.0

    def look() -> None:
        nonlocal count, taken
        if count == 0:
            watches.append(procfs.CpuWatch())
        if count == scenario.times:
            taken = watches[0].taken(scenario.program)
        count += 1

    contender.renew()
    contender.watch(look)
    source = programs.calls(contender.call, scenario.times + 1, 1)
    timed(contender, source, scenario.times + 1)
    contender.watch(None)
    return taken / scenario.times


MEASURES: Final[dict[str, Callable[[Contender, Scenario], float]]] = {
    each.__name__: each
    for each in (cold, fresh, rate, whole, calls, gather, cpu, memory, crowd, share)
}
