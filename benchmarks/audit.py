"""What does it cost to keep every operation on record?

The same program calls the same tool in enclaves that differ in their sink alone, in interleaved
rounds; what a call costs more than in the enclave without a sink is two entries, written one before
and one after the handler. Beside it, one entry written by itself, over and over.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from doublevm import DoubleVM, Enclave, Limits, ParentValidation
from doublevm.audit import Attempt, CallableSink, JsonlSink, SqliteSink

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.host.sinks.base import BaseSink

GOAL_US: Final = 50.0
CALLS: Final = 500
CALM: Final = DoubleVM(
    parent_validation=ParentValidation(
        max_operations_per_second=1_000_000, block_suspicious_sequences=False
    )
)
SINKS: Final[dict[str, Callable[[Path], BaseSink | None]]] = {
    "none": lambda _: None,
    "callable": lambda _: CallableSink(lambda _: None),
    "jsonl": lambda folder: JsonlSink(folder / "trail.jsonl"),
    "sqlite": lambda folder: SqliteSink(folder / "trail.sqlite"),
}


def note(n: int) -> int:
    """Return what was given."""
    return n


def per_call(enclave: Enclave) -> float:
    """Return the microseconds of a call, as one run's mean."""
    result = enclave.run(f"for i in range({CALLS}):\n    note(i)")
    result.unwrap()
    return result.stats.duration / CALLS * 1e6


def per_entry(sink: BaseSink, count: int) -> list[float]:
    """Return the microseconds of each of ``count`` writes."""
    found = []
    for number in range(count):
        now = time.time()
        entry = Attempt("0" * 16, 1, number, now, "note", {"n": number}, "allow", now)
        before = time.perf_counter()
        sink.write((entry,))
        found.append((time.perf_counter() - before) * 1e6)
    return found


def measure(rounds: int, engine: str) -> dict[str, dict[str, float]]:
    """Return, for each sink, microseconds at the median."""
    calls: dict[str, list[float]] = {name: [] for name in SINKS}
    entries: dict[str, list[float]] = {name: [] for name in SINKS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sinks = {name: make(folder) for name, make in SINKS.items()}
        enclaves = {}
        for name, sink in sinks.items():
            if sink is not None:
                stack.enter_context(sink)
            limits = Limits(max_tool_calls=CALLS, timeout=60)
            made = Enclave(tools=[note], audit=sink, engine=engine, limits=limits, double_vm=CALM)
            enclaves[name] = stack.enter_context(made)
            per_call(made)
        for _ in range(rounds):
            for name, enclave in enclaves.items():
                calls[name].append(per_call(enclave))
            for name, sink in sinks.items():
                if sink is not None:
                    entries[name] += per_entry(sink, 100)
    return {name: _summary(calls[name], calls["none"], entries[name]) for name in SINKS}


def _summary(calls: list[float], floor: list[float], entries: list[float]) -> dict[str, float]:
    # Neighbours of one round are compared, so that a busy machine slows both.
    more = [call - bare for call, bare in zip(calls, floor, strict=True)]
    found = {"call": statistics.median(calls), "more": statistics.median(more)}
    if entries:
        found["entry"] = statistics.median(entries)
    return {name: round(value, 1) for name, value in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("monty", "cpython"), default="cpython")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found = measure(options.rounds, options.engine)
    if options.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    sys.stdout.write(f"microseconds at the median, {options.engine}\n")
    sys.stdout.write(f"  {'sink':10}{'a call':>10}{'more':>10}{'an entry':>10}\n")
    for name, row in found.items():
        cells = (row["call"], row["more"], row.get("entry", 0.0))
        sys.stdout.write(f"  {name:10}" + "".join(f"{cell:10.1f}" for cell in cells) + "\n")
    worst = max(row.get("entry", 0.0) for row in found.values())
    goal = "within" if worst < GOAL_US else "over"
    sys.stdout.write(f"  an entry is {goal} {GOAL_US:g} µs everywhere\n")


if __name__ == "__main__":
    main()
