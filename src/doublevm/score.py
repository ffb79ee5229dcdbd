"""What is said of a program before it runs: features, signals, and the score they come to.

Plain values that all processes know. Features and signals travel from the parent VM, which has
parsed a hostile source, to the host: so their types say how long and how many they may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

MOST_POINTS: Final = 100
"""The largest score, and the most points a signal may have."""

LONGEST_TEXT: Final = 1000
"""Characters of a name, a text or a message in features and signals."""

MOST_CALLS: Final = 1000
MOST_ARGUMENTS: Final = 5000
MOST_FIELDS: Final = 5000
MOST_SIGNALS: Final = 200
"""How many of them a program may have. One that has more is not scored at all."""

Decision = Literal["allow", "warn", "block"]
"""What becomes of a program: it runs, it runs and somebody should look at it, it does not run."""
ArgumentKind = Literal["text", "number", "flag", "none", "empty", "unknown"]
"""What is known of a value; see Argument."""

Points = Annotated[int, Meta(ge=0, le=MOST_POINTS)]
Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
Place = Annotated[int, Meta(ge=1, le=2**31)]
CallNumber = Annotated[int, Meta(ge=0, lt=MOST_CALLS)]


class _Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what travels."""


class Signal(_Value, frozen=True):
    """One thing about a program that looks suspicious; each rule gives one at most."""

    rule: Annotated[str, Meta(min_length=1, max_length=64)]
    """Which rule: ``"EXFIL_PATTERN"``, or the id of an analyzer or scorer of the host's own."""
    points: Points
    """What it adds to the score."""
    line: Place
    """Where it was found first; 1-based."""
    column: Place
    """Likewise, in characters."""
    message: Text
    """What was found, in one line."""
    places: Place = 1
    """At how many places it was found. They count once."""


class Argument(_Value, frozen=True):
    """One value given to a tool; values inside lists and dicts are arguments of their own."""

    name: Text
    """The parameter's name, or the key in a dict; the items of a list have the list's name. Empty
    if it is not known."""
    kind: ArgumentKind
    """``"empty"``: an empty text, list or dict. ``"unknown"``: known when the program runs."""
    value: str | bool | float | None
    """The value of a text, number or flag, as far as the program's text says it; else None."""
    line: Place
    column: Place


class ToolCall(_Value, frozen=True):
    """One place of the program that calls a tool."""

    tool: Text
    """The tool's registered name; empty if it is made up when the program runs."""
    line: Place
    column: Place
    looped: bool
    """Whether it may be called again and again: in a loop, a comprehension, or a function that is
    called in one."""
    arguments: Annotated[tuple[Argument, ...], Meta(max_length=MOST_ARGUMENTS)]
    sources: Annotated[tuple[CallNumber, ...], Meta(max_length=MOST_CALLS)]
    """The calls whose results reach its arguments: their places in ``Features.calls``."""

    @property
    def dynamic(self) -> bool:
        """Whether which tool it calls is decided when the program runs."""
        return not self.tool


class FieldRead(_Value, frozen=True):
    """A field of what a tool has returned: ``row["name"]``, ``row.name`` or ``row.get("name")``."""

    name: Text
    line: Place
    column: Place


class Features(_Value, frozen=True):
    """What a program does with tools, as far as its syntax tree shows."""

    calls: Annotated[tuple[ToolCall, ...], Meta(max_length=MOST_CALLS)]
    """In the order in which they are come upon: a function's when it is called first."""
    fields: Annotated[tuple[FieldRead, ...], Meta(max_length=MOST_FIELDS)]


class Graded(_Value, frozen=True):
    """What the parent VM says of a program."""

    signals: Annotated[tuple[Signal, ...], Meta(max_length=MOST_SIGNALS)]
    """Those of the rules, then those of the analyzers."""
    failure: Text = ""
    """What has failed; empty if nothing has."""
    features: Features | None = None
    """Only where a scorer is to be told of them."""


class ScoringRequest(_Value, frozen=True):
    """What a scorer of the host's own is asked."""

    features: Features
    """What the program does with tools. The parent VM has read them from a program of anybody's."""
    signals: tuple[Signal, ...]
    """What the rules and the analyzers have found."""
    score: Points
    """What their points come to."""
    source: str | None
    """The program; None where a scorer has not asked for it."""


class ScoringAnswer(_Value, frozen=True):
    """What a scorer answers."""

    score: Annotated[float, Meta(ge=0, le=MOST_POINTS)]
    """0 to 100; fractions are rounded up."""
    signals: Annotated[tuple[Signal, ...], Meta(max_length=MOST_SIGNALS)] = ()
    """Why. Their points are information: the score is what ``score`` says."""


@dataclass(frozen=True, slots=True)
class Score:
    """How suspicious a program looks, why, and what was decided."""

    score: int
    """0 to 100: the points of the signals together, or what the host's scorer said."""
    signals: tuple[Signal, ...]
    """In the order of the rules, then those of analyzers and of a scorer."""
    decision: Decision
    """``"allow"``, ``"warn"`` from ``warn_threshold`` on, ``"block"`` from ``block_threshold`` on,
    or because scoring failed."""
    failure: str = ""
    """What failed in scoring, in one line; empty if nothing did. What has failed says nothing: the
    score is the rest's."""


def cut(text: str) -> str:
    """Return a text as long as features and signals may have it, in characters that can be sent."""
    return text[:LONGEST_TEXT].encode("utf-8", "backslashreplace").decode()[:LONGEST_TEXT]
