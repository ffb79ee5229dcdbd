"""What the operating system's confinement costs: the start of a pair, and each call of a tool.

An enclave with every mechanism this machine has and one without any take turns, so that a busy
machine slows both down alike: the ratios are what to look at. ``start`` is a new enclave up to the
result of its first program; ``call`` is one of many calls of a tool in one run, there and back.

Without: as if nothing worked here, which the host is told as the result of its first pair's trials.
Only PERMISSIVE runs like that, and only the monty engine; the cpython engine is let through here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from unittest import mock

from doublevm import DoubleVM, Enclave, Limits, ParentValidation, levels
from doublevm.confinement import MECHANISMS, Confinement, Rung
from doublevm.host import confinement
from doublevm.host.confinement import probe_here

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENGINES: Final = ("monty", "cpython")
CALLS: Final = 1000
NOTHING: Final = dict.fromkeys(MECHANISMS, "left out for this measurement")

PROGRAM: Final = """
for n in range({calls}):
    echo(n)
"""


def echo(number: int) -> int:
    """Return it."""
    return number


def sample(engine: str, missing: Mapping[str, str], calls: int) -> dict[str, float]:
    """Return the milliseconds to the first result, and the microseconds of one call."""
    validation = ParentValidation(
        max_operations_per_second=10**9, rapid_enumeration_threshold=10**9
    )
    began = time.perf_counter()
    with (
        mock.patch.object(confinement, "_missing", dict(missing)),
        Enclave(
            tools=[echo],
            engine=engine,
            security_level="PERMISSIVE",
            limits=Limits(max_tool_calls=10**9),
            double_vm=DoubleVM(parent_validation=validation),
        ) as enclave,
    ):
        enclave.run("1").unwrap()
        start = time.perf_counter() - began
        assert enclave.confinement == Confinement(dict(missing))
        enclave.run(PROGRAM.format(calls=calls // 10)).unwrap()  # to warm up
        began = time.perf_counter()
        enclave.run(PROGRAM.format(calls=calls)).unwrap()
        call = (time.perf_counter() - began) / calls
    return {"start_ms": start * 1e3, "call_us": call * 1e6}


def samples(
    engine: str, missing: Mapping[str, str], rounds: int, calls: int
) -> Iterator[dict[str, float]]:
    """Yield samples with and without, one after the other; the first of each is thrown away."""
    for number in range(rounds + 1):
        inside, outside = sample(engine, missing, calls), sample(engine, NOTHING, calls)
        if number:
            yield {f"{name}_jailed": value for name, value in inside.items()} | outside


def measure(rounds: int, calls: int) -> dict[str, object]:
    """Return a row for each engine: ratios first, then the medians of both."""
    here = probe_here()
    rows = []
    for engine in ENGINES:
        taken = list(samples(engine, here.missing, rounds, calls))
        row: dict[str, object] = {"engine": engine}
        median = {name: statistics.median(each[name] for each in taken) for name in taken[0]}
        for name in ("start_ms", "call_us"):
            # Of neighbours, which had the machine in the same mood.
            ratios = [each[f"{name}_jailed"] / each[name] for each in taken]
            row[name.partition("_")[0] + "_ratio"] = statistics.median(ratios)
        rows.append(row | median)
    return {"rung": here.rung.label, "rows": rows}


def let_through() -> None:
    """Let PERMISSIVE run both engines without any confinement, for comparison."""
    level = levels.SecurityLevel.PERMISSIVE
    weakest = dict.fromkeys(level.settings.weakest, Confinement(NOTHING).rung)
    assert set(weakest.values()) == {Rung.NONE}
    # No level lets cpython run unconfined, and none should: for the column without, one is made.
    changed = {**levels._SETTINGS, level: replace(level.settings, weakest=weakest)}  # noqa: SLF001
    levels._SETTINGS = changed  # type: ignore[misc]  # noqa: SLF001


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=15, help="enclaves of each kind")
    parser.add_argument("--calls", type=int, default=CALLS, help="calls in one run")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # it says that nothing confines the VMs
    let_through()
    found = measure(options.rounds, options.calls)
    if options.json:
        json.dump(found, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    sys.stdout.write(f"confined by {found['rung']!r} : not at all\n")
    rows = found["rows"]
    assert isinstance(rows, list)
    for row in rows:
        sys.stdout.write(
            f"  {row['engine']:<8} start {row['start_ratio']:.2f}"
            f" ({row['start_ms_jailed']:.0f} : {row['start_ms']:.0f} ms)"
            f"   call {row['call_ratio']:.2f}"
            f" ({row['call_us_jailed']:.0f} : {row['call_us']:.0f} µs)\n"
        )


if __name__ == "__main__":
    main()
