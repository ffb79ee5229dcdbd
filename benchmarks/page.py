"""Writes the page about performance from the results of a run: ``python -m benchmarks.page``.

Nothing on the page is written by hand, so that it can be taken anew by one command. The prose says
what the figures mean, and never what they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.harness import Samples
from benchmarks.tables import groups, markdown, target_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEAD: Final = """\
# Performance

What doublevm costs, beside what cannot be avoided and what others cost. All of it was measured in
one run by one harness, in interleaved rounds: each round takes one sample of every contender, in an
order that rotates. A **ratio** is the median, over the rounds, of a contender's sample divided by
the sample of the floor in the same round. Ratios come first because they hold on other machines;
times hold on this one. `make bench performance` takes everything anew and writes this page.
"""

TARGETS: Final = """\
## What it must cost

A target is a time, measured on a quiet machine, or a share of what the floor takes in the same run;
reaching either is reaching it.
"""

CONTENDERS: Final = """\
## Who is compared

- **two-hop pipe echo**: three processes in a row, as host, parent VM and inner VM are, that pass
  messages on with nothing but `os.read` and `os.write`. No design of two nested processes can
  answer a tool call faster. On one core all three share it; elsewhere the scheduler places them.
- **bare fork**: a process with the modules of a cpython template forks a child that says one byte.
- **bare CPython**: the program in the measuring process itself, or `python -c` for the cold start.
- **doublevm**: `Enclave` and `AsyncEnclave` on both engines, every barrier and built-in pattern on.
- **bare pydantic_monty**: a worker process and no parent VM: nothing is judged or sealed. `resume`
  drives it call by call, as doublevm does; `feed_run` is what its users write.
- **pyeryx**: CPython compiled to WebAssembly, in the host's process. It needs a newer Python than
  doublevm, and is measured on that.
- **smolagents** (`LocalPythonExecutor`) and **RestrictedPython**: in the host's process; a tool is
  a function call there, and what keeps the program from the host is Python code beside it.
- **plain subprocess**: a new `python -I -S` for each run, which calls tools with lines of JSON.
  Nothing keeps it from anything.
"""

NOTES: Final = {
    "Starting": "Cold is from the start of an interpreter to the first result. Fresh runs are those"
    " of an enclave that has run before, with a pause between them or back to back.",
    "Tool calls, there and back": "A run without calls is taken off, except from the first column:"
    " that one is what a caller of `run` waits for.",
    "Computing in the guest, one turn": "The same program, many turns of it; a run of no turns is"
    " taken off. Guests of doublevm have a lower priority than their host, so that what else a busy"
    " machine does slows them more than the others.",
    "Memory of a guest that is alive": "Private (USS) and proportional (PSS) memory of all"
    " processes that a host has started, divided by the guests; for those that have no processes,"
    " what the host itself grew by.",
    "CPU time of one call, by process": "As the kernel counts it, all threads of a process"
    " together; waiting is not in it.",
}


def page(results: Mapping[str, Any]) -> str:
    """Return the page."""
    found = {name: Samples.from_json(each) for name, each in results["scenarios"].items()}
    return "\n".join(
        [
            HEAD,
            "![Ratios to the floor](performance.svg)",
            "",
            *_machine(results),
            TARGETS,
            markdown(target_rows(found)),
            "",
            CONTENDERS,
            *_groups(found),
        ]
    )


def _machine(results: Mapping[str, Any]) -> list[str]:
    names = [f"- {name}: {value}" for name, value in results["machine"].items()]
    return ["## The machine", "", *names, f"- rounds: {results['rounds']}", ""]


def _groups(found: Mapping[str, Samples]) -> Iterator[str]:
    for each in groups(found):
        yield f"## {each.title}\n"
        if each.title in NOTES:
            yield f"{NOTES[each.title]}\n"
        yield f"Ratios to the floor, which is 1×:\n\n{markdown(each.ratios)}\n"
        yield f"Medians:\n\n{markdown(each.medians)}\n"
        for number, note in enumerate(each.notes, 1):
            yield f"[{number}] {note.strip()}\n"


def main() -> None:
    """Read the results, write the page, and the plot beside it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.page", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("results", type=Path, help="what `python -m benchmarks --json` has written")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write it, and PAGE's .svg")
    options = parser.parse_args()
    results = json.loads(options.results.read_text(encoding="utf-8"))
    text = page(results).rstrip() + "\n"
    if options.write is None:
        sys.stdout.write(text)
        return
    options.write.write_text(text, encoding="utf-8")
    from benchmarks.plot import draw  # noqa: PLC0415 - matplotlib is in the benchmarks' environment

    found = {name: Samples.from_json(each) for name, each in results["scenarios"].items()}
    draw(found, options.write.with_suffix(".svg"))


if __name__ == "__main__":
    main()
