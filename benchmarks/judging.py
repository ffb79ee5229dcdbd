"""What judging one operation costs, for histories of 10, 1,000 and 100,000 operations.

Measured is what the parent VM does for each operation, in this process: ``Monitor.attempt`` and
``Monitor.decide``, all built-in patterns on, every operation allowed, so that no barrier is spared.
The second column adds one detector of the host's own, with the timer that limits it.

The history stays as long as the row says: operations come evenly spread over the sequence window,
so each new one pushes the oldest out. The window is an hour here, so 100,000 operations are 28 a
second, well within the default rate. They need more memory than the monitor grants a history; for
this measurement it is granted more, while an enclave would be told ``[sequence/history_full]``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from contextlib import contextmanager
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import doublevm.history
from doublevm import OperationHistoryEntry, ParentValidation, SuspiciousPattern, tool
from doublevm.monitor import Monitor
from doublevm.parent.patience import patience
from doublevm.verdict import Allow
from doublevm.wire.codec import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doublevm.tools import Tool

SIZES: Final = (10, 1_000, 100_000)
WINDOW: Final = 3600.0
SAMPLES: Final = 2_000
TO_REACH: Final = 10.0
"""Microseconds at the median, with the built-in patterns."""


def operations() -> dict[str, dict[str, Any]]:
    """Return names of operations and arguments as guests send them."""
    return {
        "expenses:list": {"team": "red", "limit": 100, "since": "2025-01-01"},
        "users:get": {"user_id": 48213},
        "tickets:search": {
            "query": "printer on the third floor is on fire again",
            "filters": {"status": ["open", "waiting"], "priority": 2},
            "limit": 20,
        },
        "notes:add": {
            "title": "Summary of the meeting",
            "text": "We agreed on the budget, and on nothing else. " * 8,
            "tags": ["meeting", "budget"],
        },
        "calendar:show": {"day": "2025-06-12", "owner": "ada@example.com"},
        "weather:forecast": {"latitude": 52.52, "longitude": 13.405, "days": 3},
    }


def tools() -> list[Tool]:
    """Return tools that take these arguments."""

    def expenses(team: str, limit: int = 10, since: str | None = None) -> None: ...
    def user(user_id: int) -> None: ...
    def search(query: str, filters: dict[str, Any] | None = None, limit: int = 10) -> None: ...
    def add(title: str, text: str, tags: list[str] | None = None) -> None: ...
    def show(day: str, owner: str | None = None) -> None: ...
    def forecast(latitude: float, longitude: float, days: int = 1) -> None: ...

    functions: list[Callable[..., None]] = [expenses, user, search, add, show, forecast]
    return [tool(name=name)(f) for name, f in zip(operations(), functions, strict=True)]


def watches_the_last_five(name: str, _args: Any, history: list[OperationHistoryEntry]) -> bool:
    """Object to what is sent after something sensitive was read: a detector as hosts write them."""
    recent = history[-5:]
    return "send" in name and any(entry.name == "sensitive:read" for entry in recent)


def monitor(size: int, *, custom: bool) -> Monitor:
    """Return a monitor that remembers ``size`` operations."""
    pattern = SuspiciousPattern(
        id="CUSTOM", description="sent after a read", detect=watches_the_last_five
    )
    validation = ParentValidation(
        sequence_window=WINDOW,
        rapid_enumeration_threshold=1_000,
        suspicious_patterns=(pattern,) if custom else (),
    )
    made = Monitor((each.spec for each in tools()), validation, patience=patience)
    made.begin_run(10**9)
    calls = islice(cycle(operations().items()), size)
    step = WINDOW / size
    made.remember(
        OperationHistoryEntry(name, encode(args), number * step)
        for number, (name, args) in enumerate(calls)
    )
    return made


def judge(judging: Monitor, size: int) -> Iterator[float]:
    """Judge one operation after the other; yield the microseconds each one takes."""
    step = WINDOW / size
    for number, (name, args) in enumerate(cycle(operations().items()), size):
        began = time.perf_counter_ns()
        verdict = judging.decide(judging.attempt(name, (), args), number * step)
        took = time.perf_counter_ns() - began
        if not isinstance(verdict, Allow):
            raise SystemExit(f"{name} was not allowed: {verdict}")
        yield took / 1000


def measure(samples: int) -> list[dict[str, float]]:
    """Return a row for each size: medians in microseconds, and their ratios to the first row."""
    rows: list[dict[str, float]] = []
    for size in SIZES:
        row: dict[str, float] = {"history": size}
        for column, custom in (("built_in", False), ("custom", True)):
            judging = monitor(size, custom=custom)
            timings = judge(judging, size)
            statistics.median(islice(timings, samples // 10 + 1))  # to warm up
            row[column] = statistics.median(islice(timings, samples))
            kept = len(judging.history)
            if not size <= kept <= size + 1:
                raise SystemExit(f"the history has {kept} operations, not {size}")
        rows.append(row)
    for row in rows:
        for column in ("built_in", "custom"):
            row[f"{column}_ratio"] = row[column] / rows[0][column]
    return rows


@contextmanager
def long_histories() -> Iterator[None]:
    """Grant histories more memory than any enclave is granted: see above."""
    with mock.patch.object(doublevm.history, "MAX_BYTES", 2**30):
        yield


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--samples", type=int, default=SAMPLES, help="operations judged for each figure"
    )
    options = parser.parse_args()
    with long_histories():
        rows = measure(options.samples)
    if options.json:
        json.dump(
            {"unit": "microseconds", "to_reach": TO_REACH, "rows": rows}, sys.stdout, indent=2
        )
        sys.stdout.write("\n")
        return
    lines = [f"{'history':>9} {'built-in':>10} {'ratio':>6}   {'+ 1 custom':>10} {'ratio':>6}"]
    lines += [
        f"{row['history']:>9,} {row['built_in']:>7.2f} µs {row['built_in_ratio']:>6.2f}"
        f"   {row['custom']:>7.2f} µs {row['custom_ratio']:>6.2f}"
        for row in rows
    ]
    lines.append(f"median per operation; to reach: {TO_REACH:g} µs with the built-in patterns")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
