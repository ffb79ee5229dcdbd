"""A check by hand: what a parent VM says of a program that does not run is a claim as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ProtocolError, ScoringGate, Signal
from doublevm.host import effects
from doublevm.host.checking import HostCheck
from doublevm.host.scoring import Gate
from doublevm.score import Graded
from doublevm.wire import frames as f
from doublevm.wire import guard_frames as g
from doublevm.wire.codec import encode

if TYPE_CHECKING:
    from doublevm.result import CheckReport

FRAME = f.Check(7, "1", encode({}), "auto", 10.0)
LITTLE = Graded((Signal("A", 5, 1, 1, "little"),))
WARNS = g.Found("imports", 1, 1, "1", "it may not", "leave it out", refuses=False)
REFUSES = g.Found("imports", 1, 1, "1", "it may not", "leave it out", refuses=True)


def checked(*findings: g.Found, graded: Graded | None = None, run: int = 7) -> f.Checked:
    return f.Checked(run, findings, "monty", (), graded)


def answered(answer: Any, *, gated: bool) -> CheckReport:
    """Return the report of a check that the parent VM answers so."""
    steps = HostCheck(FRAME, 1.5, Gate(ScoringGate(), None) if gated else None).steps()
    assert next(steps) == effects.Send(FRAME)
    assert steps.send(None) == effects.Clock(11.5)
    assert steps.send(None) == effects.Next()
    with pytest.raises(StopIteration) as end:
        steps.send(answer)
    report: CheckReport = end.value.value
    return report


@pytest.mark.parametrize(
    ("answer", "gated", "score"),
    [
        (checked(), False, None),
        (checked(graded=LITTLE), True, 5),
        (checked(WARNS, graded=LITTLE), True, 5),
        (checked(REFUSES), True, None),
    ],
    ids=["without a gate", "with one", "warned of", "refused before"],
)
def test_a_score_where_one_was_asked_for(answer: Any, gated: bool, score: int | None) -> None:  # noqa: FBT001
    report = answered(answer, gated=gated)
    assert (report.score.score if report.score else None) == score


@pytest.mark.parametrize(
    ("lie", "gated"),
    [
        (checked(), True),
        (checked(WARNS), True),
        (checked(graded=LITTLE), False),
        (checked(REFUSES, graded=LITTLE), True),
    ],
    ids=["none", "none with a warning", "without a gate", "of what is refused"],
)
def test_a_score_that_is_missing_or_was_not_asked_for(lie: Any, gated: bool) -> None:  # noqa: FBT001
    with pytest.raises(ProtocolError, match="a score that is missing, or not asked for"):
        answered(lie, gated=gated)


@pytest.mark.parametrize("lie", [checked(run=6), f.Started(7, "monty")], ids=["run", "frame"])
def test_what_is_no_answer(lie: Any) -> None:
    with pytest.raises(ProtocolError, match="no answer to a check"):
        answered(lie, gated=False)
