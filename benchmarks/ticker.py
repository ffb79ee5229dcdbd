"""Does a host's event loop keep its turn while guests burn CPU?

Some AsyncEnclaves loop in one event loop while a ticker sleeps 10 ms at a time and notes how late
each tick comes. The same ticker runs first with no guest at all, as the floor of this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time

from doublevm import AsyncEnclave, Limits

TICK_SECONDS = 0.010
GOAL_MS = 50.0


async def tick(seconds: float) -> list[float]:
    """Return how late each tick came, in milliseconds."""
    slips = []
    end = time.perf_counter() + seconds
    while (before := time.perf_counter()) < end:
        await asyncio.sleep(TICK_SECONDS)
        slips.append((time.perf_counter() - before - TICK_SECONDS) * 1000)
    return slips


async def burn(engine: str, seconds: float) -> str:
    """Keep one guest busy; return how its run ended."""
    async with AsyncEnclave(engine=engine, limits=Limits(timeout=seconds)) as enclave:
        result = await enclave.run("while True: pass")
    return str(result.error.code) if result.error else "ended"


async def measure(engine: str, enclaves: int, seconds: float) -> dict[str, object]:
    """Return the slips without guests, and while they burn."""
    idle = await tick(min(seconds, 2.0))
    runs = [asyncio.create_task(burn(engine, seconds + 5)) for _ in range(enclaves)]
    await asyncio.sleep(3.0)  # until all have started
    busy = await tick(seconds)
    ended = await asyncio.gather(*runs)
    return {
        "engine": engine,
        "enclaves": enclaves,
        "ended": sorted(set(ended)),
        "idle": summary(idle),
        "busy": summary(busy),
        "within_goal": summary(busy)["p99"] < GOAL_MS,
    }


def summary(slips: list[float]) -> dict[str, float]:
    """Return median, 99th percentile and maximum, in milliseconds."""
    p99 = statistics.quantiles(slips, n=100, method="inclusive")[98]
    values = {"median": statistics.median(slips), "p99": p99, "max": max(slips)}
    return {name: round(value, 2) for name, value in values.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("monty", "cpython"), default="monty")
    parser.add_argument("--enclaves", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to tick")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found = asyncio.run(measure(options.engine, options.enclaves, options.seconds))
    if options.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    sys.stdout.write(f"slip of a 10 ms ticker in ms, {options.engine}\n")
    for name in ("idle", "busy"):
        sys.stdout.write(f"  {name}: {found[name]}\n")
    goal = "within" if found["within_goal"] else "over"
    sys.stdout.write(f"  {options.enclaves} guests ended by {found['ended']}; {goal} 50 ms\n")


if __name__ == "__main__":
    main()
