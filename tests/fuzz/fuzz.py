"""Runs case after case, each within a bound of time, and keeps the one that fails."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.fuzz.case import Case, Chunk
from tests.fuzz.sequences import new_case
from tests.fuzz.targets import attack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from tests.fuzz.case import Target

CPU_SECONDS_PER_CASE: Final = 15.0
"""More than any case takes: some are made of megabytes, and judged by Python."""

GROWTH: Final = 128 * 2**20
"""Bytes the process may grow by once it is warm: no more than a few frames of the largest kind."""


class TooLongError(BaseException):
    """A case hangs. Not an Exception: judging turns those into denials."""


class FindingError(Exception):
    """A case ended in a way that none may."""

    def __init__(self, case: Case, cause: BaseException) -> None:
        """Keep the case."""
        super().__init__(f"{case.target}: {type(cause).__name__}: {cause}")
        self.case = case


@dataclass
class Campaign:
    """Cases made from one seed."""

    seed: int
    target: Target | None = None
    cases: int = 0
    frames: Counter[str] = field(default_factory=Counter)
    """Frames that somebody looked at, by who sent them."""
    _warm: int = 0

    @property
    def total(self) -> int:
        """All frames so far."""
        return sum(self.frames.values())

    def step(self) -> None:
        """Run the next case.

        Raises:
            FindingError: it ended in a way that none may.
        """
        case = new_case(self.seed, self.cases, self.target)
        self.cases += 1
        self.frames[case.target] += checked(case)

    def check_memory(self, after: int) -> None:
        """Compare with the first time ``after`` frames had been looked at."""
        if not self._warm:
            self._warm = resident() if self.total >= after else 0
        elif (grown := resident() - self._warm) > GROWTH:
            raise MemoryError(f"grown by {grown:,} bytes since the first {after:,} frames")


def checked(case: Case) -> int:
    """Run a case; return how many frames were looked at.

    Raises:
        FindingError: it raised, or took too long.
    """
    try:
        with _bounded():
            return attack(case)
    # Whatever it is: no exception may come out of there.
    except (Exception, TooLongError) as error:
        raise FindingError(case, error) from error


def smallest(case: Case) -> Case:
    """Leave out of a failing case what it fails without."""
    found = True
    while found:
        found = False
        for smaller in _smaller(case):
            try:
                checked(smaller)
            except FindingError:
                case, found = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    def with_lives(lives: tuple[tuple[Chunk, ...], ...]) -> Case:
        return Case(case.target, case.profile, case.session, lives)

    for number, life in enumerate(case.lives):
        before, after = case.lives[:number], case.lives[number + 1 :]
        if len(case.lives) > 1:
            yield with_lives(before + after)
        for size in (len(life) // 2, len(life) // 4, 1):
            for place in range(0, len(life), size) if size else ():
                yield with_lives((*before, life[:place] + life[place + size :], *after))


def resident() -> int:
    """Return the bytes of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Raise TooLongError after so much CPU: a busy machine is no reason to fail."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooLongError(f"more than {CPU_SECONDS_PER_CASE:g} s of CPU")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS_PER_CASE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
