"""What reading a program costs before it runs: parsing, the guard's rules, and scoring.

Measured is what the parent VM does for each program, in this process, with all the rules of SECURE
and no rules of the host's own. The program is one that a model might write over two tools, repeated
up to the length that the row says. Parsing is shown by itself, as a program has to be parsed in any
case.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import statistics
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from doublevm import Enclave, ScoringGate, tool
from doublevm.parent.grading import Grader
from doublevm.parent.reading import Reader
from doublevm.wire.codec import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.wire.frames import Configure

LINES: Final = (50, 500, 5_000)
SAMPLES: Final = 30
TO_REACH: Final = 1000.0
"""Microseconds for guard and scoring of the first row, parsing not counted."""
NO_INPUTS: Final = encode({})
TIMEOUT: Final = 60.0

PARAGRAPH: Final = '''
# Expenses of the team, by category, and a note to whoever asked for it.
rows = expenses.list(team="red", limit=100)
by_category = {}
for row in rows:
    category = row.get("category") or "none"
    if row["amount"] > 100 and row["approved"]:
        by_category.setdefault(category, []).append(row["amount"])
    else:
        print(f"skipped {row['id']}: {row['amount']:.2f}")


def average(values):
    """Return the mean, and 0.0 of nothing."""
    return sum(values) / len(values) if values else 0.0


report = {name: round(average(values), 2) for name, values in sorted(by_category.items())}
largest = max(report, key=lambda name: report[name]) if report else None
lines = [f"{name}: {value}" for name, value in report.items()]

try:
    note.add(title="Expenses", text="\\n".join(lines))
except ValueError as error:
    print("the note could not be added:", error)
'''


@tool(name="expenses:list")
def list_expenses(team: str, limit: int = 10) -> list[dict[str, Any]]:
    """Return expenses."""
    return [{"id": 1, "amount": 12.5, "team": team}][:limit]


@tool(name="note:add")
def add_note(title: str, text: str) -> None:
    """Add a note."""
    sys.stdout.write(f"{title}: {text}\n")


def program(lines: int) -> str:
    """Return a program of about so many lines, whole paragraphs of it."""
    each = PARAGRAPH.count("\n")
    return PARAGRAPH * max(1, round(lines / each))


def configured() -> Configure:
    """Return what the parent VM of such an enclave is told, word for word."""
    enclave = Enclave(
        tools=[list_expenses, add_note], security_level="SECURE", scoring_gate=ScoringGate()
    )
    return enclave._core.configure()  # noqa: SLF001 - to measure what enclaves do, none started


def timed(work: Callable[[], object], samples: int) -> float:
    """Return the median of the microseconds of CPU that something takes."""
    took = []
    gc.disable()  # as the parent VM does meanwhile
    for _ in range(samples):
        began = time.thread_time_ns()
        work()
        took.append(time.thread_time_ns() - began)
    gc.enable()
    return statistics.median(took) / 1000


def measure(samples: int) -> list[dict[str, float]]:
    """Return a row for each length, in microseconds."""
    configure = configured()
    reader, grader = Reader(configure), Grader(configure)
    rows: list[dict[str, float]] = []
    for lines in LINES:
        source = program(lines)
        tree = ast.parse(source)
        grader.grade(source, tree, TIMEOUT)  # to warm up
        row: dict[str, float] = {"lines": source.count("\n")}
        row["parsing"] = timed(partial(ast.parse, source), samples)
        row["guard"] = timed(partial(read, reader, source), samples) - row["parsing"]
        row["scoring"] = timed(partial(grader.grade, source, tree, TIMEOUT), samples)
        row["per_line"] = (row["guard"] + row["scoring"]) / row["lines"]
        rows.append(row)
    return rows


def read(reader: Reader, source: str) -> None:
    """Have the guard read a program, which it does not refuse."""
    reading = reader.read(source, NO_INPUTS, TIMEOUT)
    if reading.refusing:
        raise SystemExit(f"the program was refused: {reading.refusing[0]}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="readings for each figure")
    options = parser.parse_args()
    rows = measure(options.samples)
    if options.json:
        json.dump(
            {"unit": "microseconds", "to_reach": TO_REACH, "rows": rows}, sys.stdout, indent=2
        )
        sys.stdout.write("\n")
        return
    names = ("lines", "parsing", "guard", "scoring", "per_line")
    lines = ["  ".join(f"{name.replace('_', ' '):>9}" for name in names)]
    lines += ["  ".join(f"{row[name]:>9,.1f}" for name in names) for row in rows]
    lines.append(
        f"median microseconds of CPU; guard and scoring of the first row: "
        f"{rows[0]['guard'] + rows[0]['scoring']:,.0f} µs, to reach: {TO_REACH:,.0f} µs"
    )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
