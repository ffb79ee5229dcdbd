"""What reading a program costs before it runs, for programs of 50, 500 and 5,000 lines.

Measured is what the parent VM does with a program's text, in this process, at the level SECURE: the
parser, the limits and every rule. The second column is the parser alone, which any way of running a
program needs.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Final

from doublevm import Guard, SecurityLevel
from doublevm.engines.reading.imports import MODULES
from doublevm.guard.program import Surroundings
from doublevm.guard.reading import read
from doublevm.host.guarding import guarding

if TYPE_CHECKING:
    from collections.abc import Callable

LINES: Final = (50, 500, 5_000)
SAMPLES: Final = 200
TO_REACH: Final = 1_000.0
"""Microseconds for 50 lines, at the median."""

PART: Final = '''
def totals_{0}(rows):
    """Add up what was approved, by category."""
    found = {{}}
    for row in rows:
        if row["approved"] and row["amount"] > 0:
            found[row["category"]] = found.get(row["category"], 0.0) + row["amount"]
    return dict(sorted(found.items(), key=lambda item: -item[1]))

expenses_{0} = list_expenses(team="red", limit=100)
print(len(expenses_{0}), "expenses since", date(2024, 1, 31).isoformat())
by_category_{0} = totals_{0}(expenses_{0})
for category, amount in by_category_{0}.items():
    print(f"{{category:<20}} {{amount:>10.2f}}")
'''


def program(lines: int) -> str:
    """Return a program of about so many lines, as a model would write it."""
    begin = "import json\nfrom datetime import date\n\n"
    parts = lines // PART.count("\n")
    return begin + "".join(PART.format(number) for number in range(parts))


def reader() -> Callable[[str], object]:
    """Return what reads a program at the level SECURE."""
    most = Guard(max_nodes=500_000)
    settings = guarding(most, SecurityLevel.SECURE, "auto", (), str)
    names = ("list_expenses", "mail:send")
    around = Surroundings(tools=names, roots=frozenset(("list_expenses", "mail")), modules=MODULES)
    return lambda source: read(source, settings, around)


def measure(samples: int) -> list[dict[str, float]]:
    """Return a row for each size: medians in microseconds, and what a line costs beside row one."""
    rows: list[dict[str, float]] = []
    for lines in LINES:
        source = program(lines)
        rounds = max(5, samples * LINES[0] // lines)
        row: dict[str, float] = {"lines": source.count("\n")}
        for column, function in (("guard", reader()), ("parser", ast.parse)):
            row[column] = statistics.median(_timings(function, source, rounds))
        row["per_line"] = row["guard"] / row["lines"]
        rows.append(row)
    for row in rows:
        row["ratio"] = row["per_line"] / rows[0]["per_line"]
    return rows


def _timings(function: Callable[[str], object], source: str, rounds: int) -> list[float]:
    timings = []
    gc.disable()  # as the parent VM does meanwhile
    for _ in range(rounds):
        began = time.perf_counter_ns()
        function(source)
        timings.append((time.perf_counter_ns() - began) / 1000)
    gc.enable()
    return timings


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="readings of 50 lines")
    options = parser.parse_args()
    rows = measure(options.samples)
    if options.json:
        json.dump(
            {"unit": "microseconds", "to_reach": TO_REACH, "rows": rows}, sys.stdout, indent=2
        )
        sys.stdout.write("\n")
        return
    lines = [f"{'lines':>6} {'guard':>12} {'parser alone':>13} {'a line':>9} {'ratio':>6}"]
    lines += [
        f"{row['lines']:>6,.0f} {row['guard']:>9,.0f} µs {row['parser']:>10,.0f} µs"
        f" {row['per_line']:>6.1f} µs {row['ratio']:>6.2f}"
        for row in rows
    ]
    lines.append(f"median; to reach: {TO_REACH:,.0f} µs for 50 lines, and the same for each line")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
