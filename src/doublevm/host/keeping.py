"""One run's part of the stored trails: what is written of it, and in which order."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from doublevm.host.effects import Keep
from doublevm.host.sinks.entries import Program, attempt_of, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from doublevm.host.sinks.entries import Attempt, Ended
    from doublevm.host.trail import Trail
    from doublevm.verdict import Deny
    from doublevm.wire import frames as f

    Kept = Generator[Keep, Deny | None, Deny | None]


class Keeping:
    """Has entries written. The program goes with the first operation, all or none of the two.

    So no operation that was let through is without the program that attempted it, a run that
    attempts nothing writes nothing, and no other operation pays for it.
    """

    def __init__(
        self,
        enclave: str,
        level: str,
        run: f.Run,
        number: int,
        trail: Trail,
        now: Callable[[], float],
    ) -> None:
        """Write as ``enclave`` what ``trail`` has of its run ``number``."""
        self._enclave, self._level, self._run, self._number = enclave, level, run, number
        self._trail, self._now = trail, now
        self._has_program = False
        self.engine: f.EngineName | None = None
        """Once the program has started."""

    def attempt(self, place: int) -> Kept:
        """Write an attempt; return a denial if that failed."""
        attempt = attempt_of(self._enclave, self._trail.at(place))
        if self._has_program:
            return (yield Keep((attempt,)))
        return (yield from self._with_program(attempt))

    def score(self, place: int, *, blocked: bool) -> Kept:
        """Write a program's score; with the program, if it will not come to an operation."""
        entries = attempt_of(self._enclave, self._trail.at(place)), self.outcome(place)
        if blocked:
            return (yield from self._with_program(*entries))
        return (yield Keep(entries))

    def outcome(self, place: int) -> Ended:
        """Return what became of an attempt."""
        return outcome_of(self._enclave, self._trail.at(place), self._now())

    def _with_program(self, *entries: Attempt | Ended) -> Kept:
        denial = yield Keep((self._program(), *entries))
        self._has_program = denial is None
        return denial

    def _program(self) -> Program:
        source = self._run.source
        return Program(
            self._enclave,
            self._number,
            self._now(),
            hashlib.sha256(source.encode()).hexdigest(),
            self.engine,
            self._level,
            self._run.session,
            source,
        )
