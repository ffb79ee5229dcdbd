"""The command: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks import judging
from benchmarks.harness import Samples, Workers, interleave
from benchmarks.machine import machine
from benchmarks.scenarios import JUDGED, SCENARIOS, chosen
from benchmarks.tables import GROUPS, report

TEXT: Final = """\
Measure what doublevm costs, beside its floors (bare pipes, bare fork, bare CPython) and its peers,
in interleaved rounds of one run. Compare ratios: they hold on other machines too, times do not.

  python -m benchmarks --quick                       a first impression, in a minute or two
  python -m benchmarks --only call,fresh --rounds 9  two scenarios, well measured
  python -m benchmarks --json results.json           all of it, kept for the page
  python -m benchmarks.page results.json --write docs/performance.md

Three questions have commands of their own: benchmarks.judging (what judging costs as the history
grows), benchmarks.jail (what the system's confinement costs) and benchmarks.ticker (whether an
event loop keeps its turn while guests burn CPU).
"""


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    names = ", ".join(dict.fromkeys(each.name for each in (*SCENARIOS, JUDGED)))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=TEXT,
        epilog=f"groups: {', '.join(GROUPS)}\n\nscenarios: {names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", default="", metavar="NAMES", help="groups, or beginnings of scenarios' names"
    )
    parser.add_argument("--rounds", type=int, default=5, help="samples of each; 5")
    parser.add_argument("--quick", action="store_true", help="2 rounds, without what takes long")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all samples to it")
    return parser.parse_args(arguments)


def measure(only: str, rounds: int, *, quick: bool) -> dict[str, Samples]:
    """Measure what is asked for; progress goes to standard error."""
    scenarios = chosen(only, quick=quick)
    if not scenarios:
        raise SystemExit(f"no scenario is called anything like {only!r}: see --help")
    with Workers() as workers:
        found = interleave(
            [each for each in scenarios if each is not JUDGED], rounds, workers.measure, note
        )
    if JUDGED in scenarios:
        note("judging")
        found[JUDGED.name] = judged(rounds)
    return found


def judged(rounds: int) -> Samples:
    """Measure judging, as ``judging.py`` does, a row of samples each round."""
    samples = Samples(JUDGED.floor, JUDGED.unit)
    with judging.long_histories():
        for _ in range(min(rounds, JUDGED.max_rounds)):
            for row in judging.measure(judging.SAMPLES):
                name = f"{row['history']:,} before it"
                samples.by_contender.setdefault(name, []).append(row["built_in"] / 1e6)
    return samples


def note(text: str) -> None:
    """Say how far it is; on a terminal each line takes the place of the one before."""
    line = f"\r\x1b[K{text}" if sys.stderr.isatty() else f"{text}\n"
    sys.stderr.write(line)
    sys.stderr.flush()


def as_json(found: dict[str, Samples], rounds: int) -> dict[str, Any]:
    """Return everything as plain values, for ``page.py``."""
    return {
        "machine": machine(),
        "rounds": rounds,
        "scenarios": {name: each.as_json() for name, each in found.items()},
    }


def main() -> None:
    """Measure, print, write."""
    given = options()
    rounds = 2 if given.quick else given.rounds
    found = measure(given.only, rounds, quick=given.quick)
    if sys.stderr.isatty():
        note("")
    sys.stdout.write(report(found))
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(as_json(found, rounds), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
