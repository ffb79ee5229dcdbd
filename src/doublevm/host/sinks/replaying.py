"""What another policy would have said to the operations of a trail."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from doublevm.errors import ConfigError
from doublevm.host.sinks.base import check_count
from doublevm.host.sinks.reading import read_trail
from doublevm.host.sinks.rejudging import rejudged
from doublevm.policy import DoubleVM
from doublevm.shapes import brief
from doublevm.verdict import Allow, Deny

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from doublevm.host.sinks.rejudging import Rejudged
    from doublevm.verdict import Verdict

Kind = Literal["denied", "allowed", "otherwise"]
KINDS: Final[tuple[Kind, ...]] = ("denied", "allowed", "otherwise")


@dataclass(frozen=True, slots=True)
class Example:
    """One operation that would be judged otherwise."""

    seq: int
    """The attempt's place in the trail."""
    enclave: str
    run: int
    number: int
    time: float
    """When it was attempted, in seconds since the epoch."""
    operation: str
    arguments: Mapping[str, object] | str
    """As the trail has them: by name, or an encoding in hexadecimal."""
    before: Verdict
    after: Verdict


@dataclass(frozen=True, slots=True)
class Change:
    """Operations of which the trail says one thing and the policy another."""

    kind: Kind
    """``denied``: they were let through, and would not be. ``allowed``: they were denied.
    ``otherwise``: another rule objects, or one that is enforced in one of the two only."""
    before: str
    """What the trail says: ``allow``, ``barrier/rule``, or ``would_deny barrier/rule``."""
    after: str
    """What the policy says."""
    count: int
    examples: tuple[Example, ...]
    """The first ones."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What would change."""

    operations: int
    """How many were judged."""
    conversations: int
    """Of how many enclaves; one that has rested for a day counts anew."""
    changes: tuple[Change, ...]
    """The denied first; of each kind, the most frequent first."""
    kept: Mapping[str, int]
    """Objections that were taken over from the trail, as no policy decides on them, by address:
    arguments, tools that are not there, patterns that this policy does not know."""
    redacted: int
    """Operations of which the trail does not have everything."""
    missing: int
    """Operations and scores that are not in the trail, though later ones of theirs are."""
    held: int
    """Operations that would be held back for a while."""
    set_back: int
    """Operations before which the system's clock was set back."""

    @property
    def exact(self) -> bool:
        """Whether the trail has all that judging goes by."""
        return not (self.redacted or self.missing or self.set_back)


def replay(
    trail: str | os.PathLike[str],
    double_vm: DoubleVM,
    *,
    max_tool_calls: int | None = None,
    examples: int = 3,
) -> Replay:
    """Judge the operations of a trail by another policy.

    They are read once, in the order they were judged in, and not kept. Own patterns are called in
    this process; in its main thread they have as much time as in a parent VM, elsewhere any.

    Args:
        trail: its file, of either kind.
        double_vm: the policy.
        max_tool_calls: a run's budget; None: what it has denied stays denied.
        examples: how many operations to show of each change.

    Raises:
        ConfigError: there is no such trail, or an argument is wrong.
        ValueError: something in the trail is no entry; ``verify_trail`` says what and where.
    """
    if not isinstance(double_vm, DoubleVM):
        raise ConfigError(f"double_vm must be DoubleVM(...), not {brief(double_vm, 80)}")
    if max_tool_calls is not None:
        check_count("max_tool_calls", max_tool_calls)
    check_count("examples", examples, 0)
    tally = _Tally(examples)
    for found in rejudged(read_trail(trail), double_vm, max_tool_calls):
        tally.add(found)
    return tally.replay()


@dataclass(slots=True)
class _Tally:
    """Counts."""

    wanted: int
    operations: int = 0
    sums: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    counts: Counter[tuple[Kind, str, str]] = field(default_factory=Counter)
    examples: dict[tuple[Kind, str, str], list[Example]] = field(default_factory=dict)

    def add(self, found: Rejudged) -> None:
        self.operations += 1
        for name in ("begins", "redacted", "missing", "held", "set_back"):
            self.sums[name] += getattr(found, name)
        before, after = label(found.before), label(found.after)
        if found.kept:
            self.kept[before] += 1
        if before == after:
            return
        key = (_kind(found.before, found.after), before, after)
        self.counts[key] += 1
        shown = self.examples.setdefault(key, [])
        if len(shown) < self.wanted:
            shown.append(_example(found))

    def replay(self) -> Replay:
        keys = sorted(
            self.counts, key=lambda key: (KINDS.index(key[0]), -self.counts[key], *key[1:])
        )
        changes = (Change(*key, self.counts[key], tuple(self.examples[key])) for key in keys)
        return Replay(
            operations=self.operations,
            conversations=self.sums["begins"],
            changes=tuple(changes),
            kept=dict(self.kept.most_common()),
            redacted=self.sums["redacted"],
            missing=self.sums["missing"],
            held=self.sums["held"],
            set_back=self.sums["set_back"],
        )


def label(verdict: Verdict) -> str:
    """Return a verdict without its reason: the wording may differ between versions."""
    if isinstance(verdict, Allow):
        return "allow"
    return verdict.address if isinstance(verdict, Deny) else f"would_deny {verdict.address}"


def _kind(before: Verdict, after: Verdict) -> Kind:
    if before.allowed == after.allowed:
        return "otherwise"
    return "denied" if before.allowed else "allowed"


def _example(found: Rejudged) -> Example:
    attempt = found.attempt
    return Example(
        found.seq,
        attempt.enclave,
        attempt.run,
        attempt.number,
        attempt.time,
        attempt.operation,
        attempt.arguments,
        found.before,
        found.after,
    )
