"""What host and parent VM tell each other about the scoring of a program, before it runs."""

from __future__ import annotations

from doublevm.score import Graded, Points
from doublevm.wire.base import Frame, Name, Number


class OwnAnalyzer(Frame, frozen=True):
    """An analyzer of the host's own; ``function`` is pickled by value."""

    id: Name
    points: Points
    function: bytes


class Scoring(Frame, frozen=True, kw_only=True):
    """ScoringGate, as far as it matters to the parent VM."""

    analyzers: tuple[OwnAnalyzer, ...]
    features: bool
    """Whether the host is to be told the features of programs: it has a scorer of its own."""


class Scored(Frame, frozen=True, tag="scored"):
    """What a program's signals are. The parent VM waits for the host's decision."""

    run: Number
    graded: Graded


class Decided(Frame, frozen=True, tag="decided"):
    """Whether a program that has been scored may run."""

    run: Number
    allowed: bool
