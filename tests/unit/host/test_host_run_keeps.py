"""What a run has written down, and when, without any process: see ``by_hand``."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from doublevm import ScoringGate
from doublevm.host import effects
from doublevm.host.recorder import UNAVAILABLE
from doublevm.host.scoring import Gate
from doublevm.host.sinks.entries import Attempt, Ended, Program
from doublevm.host.trail import RunEndedError
from doublevm.score import Features, Graded, Signal
from doublevm.wire import frames as f
from tests.unit.host.by_hand import ByHand, call, denied, done, failed, raised, returned

SHA256_OF_1 = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
PROGRAM = Program(
    "e", 7, 1_700_000_000.0, SHA256_OF_1, "cpython", "SECURE", session=False, source="1"
)


def begun(**options: Any) -> ByHand:
    return ByHand(kept_as="e", **options).start()


def kept(effect: effects.Effect) -> Any:
    assert isinstance(effect, effects.Keep)
    (entry,) = effect.entries
    return entry


def kept_first(effect: effects.Effect) -> Any:
    """Return what is kept with the program, of the run's first operation."""
    assert isinstance(effect, effects.Keep)
    program, *rest = effect.entries
    assert program == PROGRAM
    (entry,) = rest
    return entry


def test_an_attempt_is_kept_before_its_handler_runs_and_its_outcome_after() -> None:
    run = begun()
    attempt = kept_first(run.tell(call(a=1, line=3)))
    now = 1_700_000_000.0
    assert attempt == Attempt("e", 7, 1, now, "add", {"a": 1}, "allow", now, 3)
    assert isinstance(run.tell(None), effects.Invoke)
    finished = returned(value=1)
    assert run.tell(finished) == effects.Send(finished.answer)
    outcome = kept(run.tell(None))
    assert outcome == Ended("e", 7, 1, 1_700_000_000.0, "returned", 0.5)
    assert run.tell(None) == effects.Next()
    run.end(done())
    assert run.run.last_words() == ()


def test_an_exception_is_kept_as_that() -> None:
    run = begun()
    run.tell(call(a=1))
    run.tell(None)
    run.tell(raised())
    assert kept(run.tell(None)).outcome == "raised"


def test_what_cannot_be_kept_is_refused() -> None:
    run = begun()
    kept_first(run.tell(call(a=1)))
    message = "add denied: it could not be put on record [audit/unavailable]"
    assert run.tell(UNAVAILABLE) == effects.Send(f.Refused(7, 1, message))
    assert run.tell(None) == effects.Next()
    (record,) = run.end(done()).audit
    assert (record.verdict, record.outcome) == (UNAVAILABLE, "denied")
    assert run.run.last_words() == ()


def test_a_denial_is_kept_and_nothing_follows_if_that_fails() -> None:
    run = begun()
    assert kept_first(run.tell(denied(a=1))).verdict.address == "names/grammar"
    assert run.tell(UNAVAILABLE) == effects.Next()


def test_the_program_is_kept_once_and_with_what_is_kept_first() -> None:
    run = begun()
    kept_first(run.tell(denied(1, a=1)))
    run.tell(UNAVAILABLE)  # neither of the two is kept
    kept_first(run.tell(call(2, a=1)))
    run.tell(UNAVAILABLE)
    run.tell(None)
    kept_first(run.tell(call(3, a=1)))
    run.tell(None)
    run.tell(returned(3))
    kept(run.tell(None))
    run.tell(None)
    assert kept(run.tell(denied(4, a=1))).number == 4


def test_a_run_that_attempts_nothing_keeps_nothing() -> None:
    run = begun()
    run.end(done())
    assert run.run.last_words() == ()


def test_a_run_that_was_given_up_meanwhile_begins_nothing() -> None:
    run = begun()
    run.tell(call(a=1))
    run.run.timed_out()
    with pytest.raises(RunEndedError):
        run.tell(None)
    (word,) = run.run.last_words()
    assert word.outcome == "abandoned"
    assert run.run.last_words() == ()


def test_an_attempt_that_was_still_being_written_at_the_end_is_told_of_by_its_writer() -> None:
    run = begun()
    run.tell(call(a=1))
    run.run.timed_out()
    assert run.run.last_words() == (), "it may not be on record yet, or never"
    with pytest.raises(RunEndedError):
        run.tell(None)
    (word,) = run.late
    assert (word.number, word.outcome) == (1, "abandoned")


def test_an_outcome_that_is_still_being_written_at_the_end_is_told_once() -> None:
    run = begun()
    run.tell(call(a=1))
    run.tell(None)
    run.tell(returned(value=1))
    assert kept(run.tell(None)).outcome == "returned"
    run.run.timed_out()
    assert run.run.last_words() == ()


def test_and_denies_nothing_any_more() -> None:
    run = begun()
    run.tell(call(a=1))
    (record,) = run.run.timed_out().audit
    with pytest.raises(RunEndedError):
        run.tell(UNAVAILABLE)
    assert run.history == (record,)
    assert run.run.last_words() == ()


def test_a_handler_that_is_still_running_is_abandoned() -> None:
    run = begun()
    run.tell(call(a=1, concurrent=True))
    run.tell(None)
    run.tell(None)
    run.end(done())
    (word,) = run.run.last_words()
    assert (word.number, word.outcome) == (1, "abandoned")


def test_without_sinks_nothing_is_kept() -> None:
    run = ByHand().start()
    assert isinstance(run.tell(call(a=1)), effects.Invoke)
    assert isinstance(run.tell(returned(value=1)), effects.Send)
    assert run.tell(None) == effects.Next()
    assert run.tell(denied(2, a=1)) == effects.Next()
    run.end(done())
    assert run.run.last_words() == ()


def test_a_score_is_kept_before_the_parent_vm_learns_of_it() -> None:
    hand = ByHand(kept_as="e", gate=Gate(ScoringGate(), None))
    effect = hand.tell(f.Scored(7, Graded((), features=Features((), ()))))
    assert isinstance(effect, effects.Keep)
    attempt, outcome = effect.entries
    assert isinstance(attempt, Attempt)
    assert isinstance(outcome, Ended)
    assert (attempt.operation, attempt.verdict, outcome.outcome) == ("", "allow", "scored")
    assert hand.tell(None) == effects.Send(f.Decided(7, allowed=True))


def test_the_program_of_a_score_is_kept_if_that_blocks_it() -> None:
    hand = ByHand(kept_as="e", gate=Gate(ScoringGate(block_threshold=1), None))
    graded = Graded((Signal("LOOP_TOOL_CALL", 30, 1, 1, "why"),), features=Features((), ()))
    effect = hand.tell(f.Scored(7, graded))
    assert isinstance(effect, effects.Keep)
    program, attempt, outcome = effect.entries
    assert program == msgspec.structs.replace(PROGRAM, engine=None)
    assert isinstance(attempt, Attempt)
    assert isinstance(outcome, Ended)
    assert (attempt.verdict == "allow", outcome.outcome) == (False, "scored")


def test_and_comes_with_its_first_operation_otherwise() -> None:
    hand = ByHand(kept_as="e", gate=Gate(ScoringGate(), None))
    hand.tell(f.Scored(7, Graded((), features=Features((), ()))))
    hand.tell(None)
    hand.tell(None)
    assert kept_first(hand.start().tell(call(a=1))).number == 2


def test_a_program_whose_score_cannot_be_kept_does_not_begin() -> None:
    hand = ByHand(kept_as="e", gate=Gate(ScoringGate(), None))
    assert isinstance(hand.tell(f.Scored(7, Graded((), features=Features((), ())))), effects.Keep)
    assert hand.tell(UNAVAILABLE) == effects.Send(f.Decided(7, allowed=False))
    hand.tell(None)
    result = hand.end(failed("SCORING_BLOCKED"))
    assert result.error is not None
    assert result.error.verdict == UNAVAILABLE
    (record,) = result.audit
    assert (record.verdict, record.outcome) == (UNAVAILABLE, "scored")
    assert (result.stats.denied, result.stats.tool_calls) == (0, 0)
