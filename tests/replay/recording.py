"""Conversations as relay and host have them, without a process: what they attempt, and its trail.

The parent VM's part is a monitor asked as the relay asks it; the host's part is its trail, which
also tells a new monitor what it has to know. The clock is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from doublevm.host.sinks.chain import Head, chained
from doublevm.host.sinks.entries import attempt_of
from doublevm.host.sinks.reading import Place
from doublevm.host.trail import Open, Trail
from doublevm.monitor import Hold, Monitor
from doublevm.operation import Parameter, ToolSpec
from doublevm.shapes import Scalar
from doublevm.state import from_wire
from doublevm.verdict import Deny
from doublevm.wire.codec import decode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from doublevm.host.sinks.entries import Attempt
    from doublevm.policy import ParentValidation
    from tests.monitor.traces import Act

TOOLS: Final = tuple(
    ToolSpec(
        name,
        (
            Parameter("limit", Scalar("int"), required=False),
            Parameter("id", Scalar("str"), required=False),
        ),
    )
    for name in (
        "users:list",
        "getUser",
        "mail:send",
        "http:request",
        "files:delete",
        "exportAll",
        "read_and_send",
        "note",
        "x:blocked",
    )
)


class Kept:
    """A trail in memory, to be read as one that was stored."""

    def __init__(self, entries: Sequence[Attempt]) -> None:
        self._links = chained(Head(), entries)

    def places(self) -> Iterator[Place]:
        for link in self._links:
            yield Place(f"entry {link.seq}", link)


@dataclass
class Recording:
    """One enclave."""

    name: str
    policy: ParentValidation | None
    catch_all: bool = False
    trail: Trail = field(default_factory=Trail)
    entries: list[Attempt] = field(default_factory=list)
    run: int = 0
    budget: int = 100

    def __post_init__(self) -> None:
        self.monitor = self._new()

    def _new(self) -> Monitor:
        return Monitor(TOOLS, self.policy, catch_all=self.catch_all)

    def begin(self, budget: int) -> None:
        self.run, self.budget = self.run + 1, budget
        self.monitor.begin_run(budget)

    def crash(self, now: float) -> None:
        """Lose the pair; the next run has another."""
        self.monitor = self._new()
        policy = self.policy
        if policy is not None:
            longest = max(1.0, policy.sequence_window, policy.rapid_enumeration_window)
            self.monitor.remember(from_wire(self.trail.remembered(now - longest)))
        self.begin(self.budget)

    def attempt(self, act: Act, now: float, *, patient: bool, late: float = 0.0) -> float:
        """Attempt something; return the time when it has been judged.

        Args:
            act: what.
            now: when.
            patient: whether the run's time lasts while it is held back.
            late: seconds after which the host learns of it.
        """
        positional = (1, "x", 2) if act.args.get("limit") == 5000 else ()
        read = self.monitor.attempt(act.name, positional, act.args)
        while isinstance(verdict := self.monitor.decide(read, now), Hold):
            if not patient:
                verdict = self.monitor.give_up(read)
                break
            now += verdict.seconds
        arguments: Mapping[str, Any] = decode(read.args)
        name = act.name[:200] if isinstance(verdict, Deny) else act.name
        judged = self.monitor.now
        attempt = Open(now + late, name, arguments, verdict, read.args, judged)
        place = self.trail.add(self.run, attempt)
        self.entries.append(attempt_of(self.name, self.trail.at(place), judged))
        return now
