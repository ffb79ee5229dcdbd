"""From features to signals, and from signals to a score and a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doublevm.guard.scoring.rules import RULES
from doublevm.score import MOST_POINTS, Score, Signal, cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from doublevm.guard.scoring.rules.hit import Hit
    from doublevm.score import Decision, Features


def signals(features: Features) -> tuple[Signal, ...]:
    """Return what the rules say of a program, one signal at most of each."""
    found = (signal_of(name, rule.points, rule.find(features)) for name, rule in RULES.items())
    return tuple(signal for signal in found if signal is not None)


def signal_of(rule: str, points: int, hits: Iterable[Hit]) -> Signal | None:
    """Return the signal of a rule's hits: at the first in the order of the text."""
    places = sorted(hits)
    if not places:
        return None
    line, column, message = places[0]
    return Signal(rule, points, line, column, cut(message), len(places))


def total(signals: Iterable[Signal]) -> int:
    """Return the score that signals come to."""
    return min(MOST_POINTS, sum(signal.points for signal in signals))


def decided(
    score: int,
    signals: Sequence[Signal],
    *,
    block: int,
    warn: int,
    fail_open: bool,
    failure: str = "",
) -> Score:
    """Return the score with what is decided by it.

    Args:
        score: 0 to 100.
        signals: what it comes from.
        block: the score from which on a program is blocked.
        warn: the score from which on it is looked at.
        fail_open: whether a program is let through although scoring it has failed.
        failure: what has failed; empty if nothing has.
    """
    return Score(
        score, tuple(signals), _decision(score, block, warn, failure, fail_open=fail_open), failure
    )


def _decision(score: int, block: int, warn: int, failure: str, *, fail_open: bool) -> Decision:
    if score >= block or (failure and not fail_open):
        return "block"
    # What scored nothing because scoring failed should not look as if it had been found harmless.
    return "warn" if score >= warn or failure else "allow"


def reason(score: Score, block: int) -> str:
    """Say why a program is blocked, with what its author can change."""
    if score.score < block:
        return f"scoring it has failed: {score.failure}"
    said = "; ".join(_said(score.signals))
    return f"it scores {score.score} of {MOST_POINTS}, and {block} is too much" + (
        f": {said}" if said else ""
    )


def _said(signals: Iterable[Signal]) -> Iterator[str]:
    for signal in signals:
        more = f" and {signal.places - 1} more" if signal.places > 1 else ""
        yield f"{signal.rule} {signal.points} (line {signal.line}{more}: {signal.message})"
