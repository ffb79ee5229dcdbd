"""What a contender has to be able to do; how each scenario is measured follows from that."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Barrier, Thread
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks import measures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from benchmarks.scenarios import Scenario


class CannotError(Exception):
    """A contender has no such thing. Its text, which says why, becomes a footnote."""


class Contender:
    """Runs programs that may call the tool ``echo``, which returns what it is given."""

    call: ClassVar[str] = "echo({})"
    """How a program calls the tool."""
    cold: ClassVar[str]
    """A whole Python program, that imports it and prints its first result."""
    pace: ClassVar[float] = 1.0
    """By how much fewer turns of the CPU's programs are enough for a sample."""
    cannot: ClassVar[Mapping[str, str]] = {}
    """Kinds of scenarios that it has no answer to, and why."""

    def measure(self, scenario: Scenario) -> float:
        """Return seconds or bytes for one of what the scenario is about."""
        if scenario.kind in self.cannot:
            raise CannotError(self.cannot[scenario.kind])
        return measures.MEASURES[scenario.kind](self, scenario)

    def run(self, source: str) -> Any:
        """Run a program in a fresh guest; return what it left in ``result``.

        The floors that run nothing have a ``measure`` of their own instead.
        """
        raise NotImplementedError(source)

    def renew(self) -> None:
        """Start over, so that what was remembered of earlier samples is gone."""

    def watch(self, look: Callable[[], None] | None) -> None:  # noqa: ARG002 - some can
        """Have the tool call ``look`` each time, from now on."""
        raise CannotError("its tool cannot be watched")

    def hold(self) -> None:
        """Keep a guest alive, idle, until ``close``: its memory is about to be looked at."""
        self.run("result = 1\nresult")

    def close(self) -> None:
        """End whatever was started."""

    def __enter__(self) -> Self:
        """Return itself; it starts when it is used."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @classmethod
    def crowd(cls, source: str, expected: object, size: int) -> float:
        """Run a program in so many at once; return the seconds until the last one is through."""
        with ExitStack() as stack:
            those = [stack.enter_context(cls()) for _ in range(size)]
            for each in those:
                each.run("result = 1\nresult")
            return cls.together(those, source, expected)

    @classmethod
    def together(cls, those: Sequence[Self], source: str, expected: object) -> float:
        """Run it in all of them at once: with threads, unless a contender has its own way."""
        start = Barrier(len(those) + 1)
        answers: list[object] = []

        def one(contender: Self) -> None:
            start.wait()
            answers.append(contender.run(source))

        threads = [Thread(target=one, args=(each,)) for each in those]
        for thread in threads:
            thread.start()
        start.wait()
        began = perf_counter()
        for thread in threads:
            thread.join()
        took = perf_counter() - began
        assert answers == [expected] * len(those), answers
        return took
