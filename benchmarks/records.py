"""How long does a trail of ten million operations take to answer?

Makes an SQLite trail by the sink itself, thousands of entries in a transaction, and asks it for the
first hundred operations that fit each filter: of what is common, of what is rare and of what there
is none of. Then it is verified.
"""

from __future__ import annotations

import argparse
import itertools
import random
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from doublevm.audit import Attempt, Ended, Filter, HmacKey, SqliteSink, read_trail, verify_trail
from doublevm.verdict import Deny

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.host.sinks.entries import AnyEntry

GOAL_SECONDS: Final = 1.0
PAGE: Final = 100
"""Operations that are asked for."""
AT_ONCE: Final = 20_000
"""Entries in a transaction."""
CALLS: Final = 5
"""Of each run."""
RUNS: Final = 4
"""Of most conversations; every hundredth has a hundred times as many."""
BEGIN: Final = 1_700_000_000.0
APART: Final = 0.25
"""Seconds between two operations."""
RARE: Final = 200_000
"""Operations to one of a rare kind."""
NAMES: Final = [f"{what}:{does}" for what in ("users", "files", "mail") for does in ("list", "get")]
RULES: Final = [Deny("names", "unregistered", "no such tool"), Deny("rate", "max", "too many")]
KEY: Final = HmacKey(b"a key of the benchmark")


def conversations(chance: random.Random) -> Iterator[tuple[str, int]]:
    """Return the conversation and the run of one run after another."""
    for number in itertools.count():
        name = f"{chance.getrandbits(64):016x}"
        for run in range(1, RUNS * (100 if number % 100 == 0 else 1) + 1):
            yield name, run


def entries(count: int) -> Iterator[AnyEntry]:
    """Return the entries of ``count`` operations: 2 % are denied."""
    chance = random.Random(7)  # noqa: S311 - the same trail each time
    number, places, now = 0, {"": 0}, BEGIN
    for enclave, run in conversations(chance):
        if enclave not in places:
            places = {enclave: 0}
        for _ in range(CALLS):
            number, now = number + 1, now + APART
            places[enclave] += 1
            place, rare = places[enclave], number % RARE == 0
            name = "users:drop" if rare else NAMES[int(chance.random() ** 2 * len(NAMES))]
            arguments = {"limit": number % 100, "query": f"name of number {number}"}
            if rare or chance.random() < 0.02:  # noqa: PLR2004 - see above
                verdict = Deny("sequence", "rare", "why") if rare else RULES[number % 2]
                yield Attempt(enclave, run, place, now, name, arguments, verdict, now)
            else:
                yield Attempt(enclave, run, place, now, name, arguments, "allow", now)
                yield Ended(enclave, run, place, now + 0.01, "returned", 0.01)
            if number == count:
                return


def build(path: Path, count: int) -> float:
    """Write a trail; return the microseconds an entry."""
    began, written = time.monotonic(), 0
    with SqliteSink(path, signer=KEY) as sink:
        # A trail that grows for months has its inner pages in memory; this one shall have, too, and
        # no user of a sink needs an option for it.
        sink._connection.execute("PRAGMA cache_size = -1000000")  # noqa: SLF001
        rest = entries(count)
        while some := tuple(itertools.islice(rest, AT_ONCE)):
            sink.write(some)
            written += len(some)
            if written // AT_ONCE % 50 == 0:
                sys.stderr.write(f"\r{written:,} entries")
    sys.stderr.write("\n")
    return (time.monotonic() - began) / written * 1e6


def filters(path: Path, count: int) -> dict[str, Filter]:
    """Return what is asked for."""
    middle = BEGIN + APART * count / 2
    enclave = next(read_trail(path).operations(Filter(since=middle))).enclave
    return {
        "everything": Filter(),
        "a time range": Filter(since=middle, until=middle + 3600),
        "a time without any": Filter(since=BEGIN * 2),
        "a conversation": Filter(enclave=enclave),
        "a run of it": Filter(enclave=enclave, run=2),
        "first runs": Filter(run=1),
        "second runs": Filter(run=2),
        "a high run": Filter(run=350),
        "a run that none has": Filter(run=9999),
        "an operation": Filter(operation="users:list"),
        "a rare operation": Filter(operation="users:drop"),
        "an operation that none is": Filter(operation="users:burn"),
        "what was allowed": Filter(allowed=True),
        "what was denied": Filter(allowed=False),
        "a rule": Filter(rule="rate/max"),
        "a rare rule": Filter(rule="sequence/rare"),
        "a rule that none is": Filter(rule="rate/none"),
        "an operation, allowed": Filter(operation="users:list", allowed=True),
        "a rare operation, allowed": Filter(operation="users:drop", allowed=True),
        "an operation, denied": Filter(operation="users:list", allowed=False),
        "an operation, a rule": Filter(operation="users:list", rule="rate/max"),
        "a rare operation, a rule": Filter(operation="users:drop", rule="rate/max"),
        "an operation, a time": Filter(operation="users:list", since=middle),
        "a rule, a time": Filter(rule="rate/max", since=middle, until=middle + 3600),
        "denied, a time": Filter(allowed=False, since=middle),
        "a run, an operation": Filter(run=3, operation="mail:get"),
        "a run, a rare operation": Filter(run=3, operation="users:drop"),
        "a high run, an operation": Filter(run=350, operation="users:list"),
        "a run, a rule": Filter(run=350, rule="rate/max"),
    }


def ask(path: Path, wanted: Filter) -> tuple[float, int]:
    """Return the seconds until the first page is there, connecting included, and its size."""
    took, found = [], []
    for _ in range(3):
        before = time.perf_counter()
        found = list(itertools.islice(read_trail(path).operations(wanted), PAGE))
        took.append(time.perf_counter() - before)
    return statistics.median(took), len(found)


def main() -> None:
    """Make a trail, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--folder", help="where there are some 10 GB; by itself the system's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder, "trail.sqlite")
        entry = build(path, options.records)
        on_disk = path.stat().st_size / 1e9
        say(f"{options.records:,} operations, {on_disk:.1f} GB, {entry:.1f} µs an entry written")
        worst = 0.0
        for name, wanted in filters(path, options.records).items():
            seconds, size = ask(path, wanted)
            worst = max(worst, seconds)
            say(f"  {name:28}{size:6}{seconds * 1000:12.1f} ms")
        goal = "within" if worst < GOAL_SECONDS else "over"
        say(f"  every first page is {goal} {GOAL_SECONDS:g} s")
        before, began = peak(), time.monotonic()
        found = verify_trail(path, verifier=KEY)
        say(
            f"verified {found.entries:,} entries in {time.monotonic() - began:.0f} s: "
            f"{'ok' if found.ok else found.faults}"
        )
        say(f"  its memory grew by {peak() - before} MB")


def peak() -> int:
    """Return the megabytes that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
