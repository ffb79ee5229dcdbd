"""``make fuzz``: as many frames as one likes, from a seed that is new each time."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
import traceback
from pathlib import Path
from typing import get_args

from tests.fuzz.case import Case, Target
from tests.fuzz.fuzz import Campaign, FindingError, checked, resident, smallest

FOLDER = Path("build/fuzz")
WARM = 20_000
EVERY_SECONDS = 2.0


def main() -> int:
    """Fuzz, or replay what failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000, help="how many at least")
    parser.add_argument("--seed", type=int, help="of an earlier campaign; a new one otherwise")
    parser.add_argument("--target", choices=get_args(Target), help="this one alone")
    parser.add_argument("--replay", type=Path, help="run the case that this file has, and no other")
    options = parser.parse_args()
    if options.replay is not None:
        frames = checked(Case.read(options.replay))
        sys.stdout.write(f"{frames} frames: nothing found\n")
        return 0
    seed = secrets.randbits(32) if options.seed is None else options.seed
    return _fuzz(Campaign(seed, options.target), options.frames)


def _fuzz(campaign: Campaign, frames: int) -> int:
    sys.stdout.write(f"seed {campaign.seed}\n")
    began = shown = time.monotonic()
    status = 0
    try:
        while campaign.total < frames:
            campaign.step()
            if time.monotonic() - shown >= EVERY_SECONDS:
                shown = time.monotonic()
                campaign.check_memory(WARM)
                _show(campaign, frames, shown - began)
    except KeyboardInterrupt:
        sys.stdout.write("\nended by Ctrl-C")
    except (FindingError, MemoryError) as error:
        status = 1
        _keep(campaign, error)
    _summarise(campaign, time.monotonic() - began)
    return status


def _show(campaign: Campaign, frames: int, seconds: float) -> None:
    line = f"{campaign.total:,} of {frames:,} frames, {campaign.total / seconds:,.0f} a second"
    sys.stdout.write(f"\r{line:<60}" if sys.stdout.isatty() else f"{line}\n")
    sys.stdout.flush()


def _keep(campaign: Campaign, error: FindingError | MemoryError) -> None:
    sys.stdout.write("\n")
    traceback.print_exception(error, file=sys.stdout)
    if isinstance(error, FindingError):
        path = FOLDER / f"{campaign.seed}-{campaign.cases - 1}.json"
        error.case.write(path)  # before it is made smaller: that may take long
        smallest(error.case).write(path)
        sys.stdout.write(f"kept in {path}; make fuzz REPLAY={path}")


def _summarise(campaign: Campaign, seconds: float) -> None:
    each = ", ".join(f"{count:,} {name}" for name, count in sorted(campaign.frames.items()))
    sys.stdout.write(
        f"\n{campaign.total:,} frames ({each}) in {campaign.cases:,} cases and {seconds:,.0f} s: "
        f"{campaign.total / max(seconds, 1e-9):,.0f} a second, "
        f"{resident() / 2**20:,.0f} MB resident\n"
    )


if __name__ == "__main__":
    sys.exit(main())
