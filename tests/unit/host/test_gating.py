"""The gate before a run: what a parent VM says of a program is a claim, and held to the answer."""

from __future__ import annotations

from typing import Any

import pytest

from doublevm import ProtocolError, ScoringGate, Signal
from doublevm.host import effects
from doublevm.host.scoring import Gate, Unanswered
from doublevm.score import Features, Graded
from doublevm.wire import frames as f
from tests.unit.host.by_hand import STARTED, ByHand, done, failed

MUCH, LITTLE = Signal("A", 80, 1, 1, "much"), Signal("A", 5, 1, 1, "little")
NO_FEATURES = Features((), ())


def scored(*signals: Signal, run: int = 7, **more: Any) -> f.Scored:
    return f.Scored(run, Graded(signals, **more))


def gated(scorer: Any = None, **options: Any) -> ByHand:
    return ByHand(gate=Gate(ScoringGate(**options), scorer))


def test_a_program_that_may_run_runs() -> None:
    hand = gated()
    assert hand.tell(scored(LITTLE)) == effects.Send(f.Decided(7, allowed=True))
    assert hand.tell(None) == effects.Next()
    result = hand.start().end(done(5))
    assert result.value == 5
    assert result.score is not None
    assert result.score.score == 5


def test_a_program_that_may_not_does_not() -> None:
    hand = gated()
    hand.seconds += 0.25
    assert hand.tell(scored(MUCH)) == effects.Send(f.Decided(7, allowed=False))
    assert hand.tell(None) == effects.Next()
    result = hand.end(failed("SCORING_BLOCKED"))
    assert result.error is not None
    assert result.error.message.endswith("A 80 (line 1: much) [scoring/block_threshold]")
    (record,) = result.audit
    assert (record.outcome, record.duration) == ("scored", 0.25)


@pytest.mark.parametrize(
    "lie", [STARTED, failed(), failed("TIMEOUT")], ids=["started", "failed", "timeout"]
)
def test_a_parent_that_does_not_keep_to_a_block(lie: Any) -> None:
    hand = gated()
    hand.tell(scored(MUCH))
    hand.tell(None)
    with pytest.raises(ProtocolError):
        hand.tell(lie)


def test_a_parent_that_starts_without_a_score() -> None:
    with pytest.raises(ProtocolError, match="a program that was not let through"):
        gated().tell(STARTED)


@pytest.mark.parametrize("before", [[], [scored(LITTLE), None]], ids=["unscored", "allowed"])
def test_a_parent_that_blocks_by_itself(before: list[Any]) -> None:
    hand = gated()
    for answer in before:
        hand.tell(answer)
    with pytest.raises(ProtocolError, match="another end than what the host has decided"):
        hand.tell(failed("SCORING_BLOCKED"))


def test_a_parent_that_scores_although_there_is_no_gate() -> None:
    with pytest.raises(ProtocolError, match="a score that nobody has asked for"):
        ByHand().tell(scored())


def test_a_parent_that_scores_what_is_known() -> None:
    gate = Gate(ScoringGate(), None)
    gate.score("1", Graded((LITTLE,)))
    hand = ByHand(gate=gate)
    with pytest.raises(ProtocolError, match="a score that nobody has asked for"):
        hand.tell(scored())
    assert [record.outcome for record in hand.history] == ["scored"]


def test_the_twin_what_is_known_runs_unasked() -> None:
    gate = Gate(ScoringGate(), None)
    gate.score("1", Graded((LITTLE,)))
    result = ByHand(gate=gate).start().end(done(5))
    assert (result.value, result.score) == (5, gate.known("1"))


def test_a_parent_that_blocks_although_there_is_no_gate() -> None:
    with pytest.raises(ProtocolError, match="another end"):
        ByHand().tell(failed("SCORING_BLOCKED"))


def test_a_score_of_another_run() -> None:
    with pytest.raises(ProtocolError, match="another run"):
        gated().tell(scored(run=6))


def test_a_program_that_is_wrong_fails_without_a_score() -> None:
    assert gated().end(failed("VALIDATION_ERROR")).score is None


def test_the_scorer_is_asked_by_the_driver() -> None:
    hand = gated(lambda request: request.score + 1, timeout=3.0)
    effect = hand.tell(scored(LITTLE, features=NO_FEATURES))
    assert isinstance(effect, effects.Consult)
    assert (effect.ask(), effect.seconds) == (6, 3.0)
    assert hand.tell(71) == effects.Send(f.Decided(7, allowed=False))


def test_no_answer_blocks() -> None:
    hand = gated(lambda request: 0)
    hand.tell(scored(LITTLE, features=NO_FEATURES))
    assert hand.tell(Unanswered("none")) == effects.Send(f.Decided(7, allowed=False))


def test_a_parent_that_keeps_the_features_to_itself_has_failed() -> None:
    """The scorer cannot be asked, and what cannot be asked has not allowed anything."""
    hand = gated(lambda request: 0)
    assert hand.tell(scored(LITTLE)) == effects.Send(f.Decided(7, allowed=False))
    hand.tell(None)
    result = hand.end(failed("SCORING_BLOCKED"))
    assert result.score is not None
    assert result.score.failure == "the scorer could not be told of the program"


@pytest.mark.parametrize(("fail_open", "asked"), [(False, False), (True, True)])
def test_where_something_has_failed_nobody_is_asked_in_vain(
    *, fail_open: bool, asked: bool
) -> None:
    hand = gated(lambda request: 0, fail_open=fail_open)
    effect = hand.tell(scored(failure="an analyzer has", features=NO_FEATURES))
    assert isinstance(effect, effects.Consult) is asked
