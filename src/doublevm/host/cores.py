"""Runs gathered on one core each: the processes of a pair, and the thread that waits for them.

A call is a chain of wake-ups, from the guest to the host and back, and nobody has anything to do
meanwhile. Where all of it is on one core no sleeping core has to be woken, and a call takes two
thirds of the time. A guest that computes is another matter: its pair is let go to any core.

It is all done from outside, so that no VM needs a right to it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.host.processes import PairProcess

COMPUTES_SECONDS: Final = 0.02
"""A guest that nothing was heard of for so long computes, or sleeps. Looked for again after twice
the time, and so on: it is noticed after about as long as it has run, and others cost nothing."""


_CHILDREN: Final = "/proc/thread-self/children"
"""Not every kernel tells of a thread's children, and without them not all of a pair is found."""


class Cores:
    """Gives each core to one run of this process at a time."""

    def __init__(self) -> None:
        """Begin with none given."""
        self._given: set[int] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def one(self, *, wanted: bool) -> Iterator[int | None]:
        """Give a core for one run.

        None if none is ``wanted``, if there is nothing to choose from, or if every core has a run:
        then none is asleep, and the kernel places the processes better.
        """
        core = self._take() if wanted else None
        try:
            yield core
        finally:
            if core is not None:
                self._given.discard(core)

    def _take(self) -> int | None:
        cores = usable_cores()
        with self._lock:
            free = cores - self._given
            if len(cores) < 2 or not free or not Path(_CHILDREN).exists():  # noqa: PLR2004
                return None
            # Hosts that begin at different cores meet less often.
            first = os.getpid() % len(cores)
            core = min(free, key=lambda core: (core - first) % len(cores))
            self._given.add(core)
        return core


cores: Final = Cores()
"""Of this process."""

if hasattr(os, "register_at_fork"):
    # None of the other process's runs is this one's, and another thread may have held the lock.
    os.register_at_fork(after_in_child=cores.__init__)  # type: ignore[misc]


_IN_PART: Final = frozenset((-1,))
"""Where a pair is of which not everything could be moved."""


class Place:
    """Where a pair is, and where the thread that drives its run waits for it.

    A context manager for just the wait: the host's own code runs wherever it ran before.
    """

    def __init__(self, process: PairProcess) -> None:
        """Leave the pair where it is."""
        self._process = process
        self._now: frozenset[int] = frozenset()
        """Where the pair was moved to; empty if it never was."""
        self._there = self._back = self._now

    def gather(self, core: int | None) -> None:
        """Move the pair to ``core`` if it is not there, and let this thread wait there.

        None lets the pair go. Where it cannot be moved, nothing is done.
        """
        self._there, self._back = frozenset(), usable_cores()
        if core is None:
            self.let_go()
        elif self._move(wanted := frozenset((core,))):
            self._there = wanted

    def let_go(self) -> None:
        """Let the pair, and who waits for it, run on any core. From any thread."""
        self._there = frozenset()
        if self._now:
            self._move(self._back)

    def _move(self, wanted: frozenset[int]) -> bool:
        if wanted != self._now:
            self._now = wanted
            try:
                _move_all(self._process.pid, wanted)
            except (OSError, ValueError):  # it has ended, or may not be moved
                self._now = _IN_PART
                return False
        return True

    def __enter__(self) -> None:
        """Go there."""
        self._waits = self._there
        _go(self._waits)

    def __exit__(self, *_: object) -> None:
        """Come back."""
        if self._waits:
            _go(self._back)


class Lookout:
    """Notices that a run's guest computes, and lets its pair go."""

    def __init__(self, place: Place, core: int | None) -> None:
        """Look after a run that is gathered on ``core``, or not at all."""
        self._place = place
        self._interval, self._seen = COMPUTES_SECONDS, 0
        self._due = float("inf") if core is None else time.monotonic() + COMPUTES_SECONDS
        self.heard = 0
        """How often the parent VM was waited for, and has answered: odd while it is waited for."""

    @property
    def patience(self) -> float:
        """Seconds until it wants to look; infinite if it never will."""
        return max(0.0, self._due - time.monotonic())

    def look(self) -> None:
        """Look, if it is time."""
        if self.patience > 0:
            return
        seen, self._seen = self._seen, self.heard
        if seen == self.heard and seen % 2:
            self._due = float("inf")
            self._place.let_go()
        else:
            self._interval *= 2
            self._due = time.monotonic() + self._interval


def usable_cores() -> frozenset[int]:
    """Return the cores that this thread may run on; none where nobody can be moved."""
    if not hasattr(os, "sched_getaffinity"):
        return frozenset()
    return frozenset(os.sched_getaffinity(0))


def _go(where: frozenset[int]) -> None:
    if where:
        with contextlib.suppress(OSError):  # the core was taken away meanwhile
            os.sched_setaffinity(0, where)


def _move_all(pid: int, wanted: frozenset[int]) -> None:
    """Move every thread of a process and of all that it has started.

    The kernel may leave a child out while another one ends (proc_pid_children(5)), as the helper of
    a new parent VM does. So it is asked until there is nobody new, and three times at most.
    """
    moved: set[int] = set()
    for _ in range(3):
        found = set(_threads(pid)) - moved
        for thread in found:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.sched_setaffinity(thread, wanted)
        if moved and not found:
            return
        moved |= found


def _threads(pid: int) -> Iterator[int]:
    """Return the threads of a process and of all that it has started."""
    for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - Path keeps every name it has seen
        yield int(task)
        for child in _children(pid, task):
            with contextlib.suppress(FileNotFoundError):
                yield from _threads(child)


def _children(pid: int, task: str) -> list[int]:
    """Return the processes that a thread has started; none of one that has just ended."""
    try:
        with open(f"/proc/{pid}/task/{task}/children", "rb") as file:  # noqa: PTH123 - as above
            return [int(child) for child in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
