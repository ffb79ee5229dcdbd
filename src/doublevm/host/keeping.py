"""One run's part of the stored trails: what is written of it, and in which order."""

from __future__ import annotations

import hashlib
import threading
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
        self._owed: set[int] = set()
        """Places of operations that stored trails have the attempt of, and not the outcome."""
        self._is_over = False
        self._telling = threading.Lock()
        """Each outcome is told once: by the run, at its end, or by who was still writing then."""

    def allowed(self, place: int) -> Kept:
        """Write an attempt whose outcome will follow; return a denial if that failed."""
        return (yield from self._with_program((self._attempt(place),), lambda: self._owe(place)))

    def denied(self, place: int) -> Kept:
        """Write an attempt that nothing follows on."""
        return (yield from self._with_program((self._attempt(place),)))

    def score(self, place: int, *, blocked: bool) -> Kept:
        """Write a program's score; with the program, if it will not come to an operation."""
        entries = (self._attempt(place), self._outcome(place))
        if blocked:
            return (yield from self._with_program(entries))
        return (yield Keep(entries))

    def outcome(self, place: int) -> Generator[Keep, Deny | None, None]:
        """Write what became of an attempt, if that is still owed."""
        with self._telling:
            is_owed = place in self._owed
            self._owed.discard(place)
        if is_owed:
            yield Keep((self._outcome(place),))

    def end(self) -> tuple[Ended, ...]:
        """Return all outcomes that are owed; from now on they are due with their attempts."""
        with self._telling:
            self._is_over = True
            places, self._owed = sorted(self._owed), set()
        return tuple(self._outcome(place) for place in places)

    def _owe(self, place: int) -> tuple[Ended, ...]:
        """Learn that an attempt is on record; if the run is over, its outcome is due at once."""
        with self._telling:
            if not self._is_over:
                self._owed.add(place)
                return ()
        return (self._outcome(place),)

    def _attempt(self, place: int) -> Attempt:
        return attempt_of(self._enclave, self._trail.at(place), self._trail.judged(place))

    def _outcome(self, place: int) -> Ended:
        return outcome_of(self._enclave, self._trail.at(place), self._now())

    def _with_program(
        self,
        entries: tuple[Program | Attempt | Ended, ...],
        kept: Callable[[], tuple[Ended, ...]] | None = None,
    ) -> Kept:
        if not self._has_program:
            entries = (self._program(), *entries)
        denial = yield Keep(entries, kept)
        self._has_program = self._has_program or denial is None
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
