"""What host and parent VM tell each other about the reading of a program, before it runs."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from doublevm.score import Graded
from doublevm.wire.base import EngineChoice, EngineName, Frame, Line, Name, Number

MOST_FINDINGS: Final = 100
"""Findings that are told of one program; there may be one for each of its characters."""

Act = Literal["refuse", "warn", "allow"]
Prose = Annotated[str, Meta(max_length=1000)]


class OwnRule(Frame, frozen=True):
    """A rule of the host's own; ``function`` is pickled by value."""

    id: Name
    action: Act
    function: bytes


class Guarding(Frame, frozen=True, kw_only=True):
    """Guard, complete, for the way to the parent VM. See there for the fields."""

    max_source_bytes: Number
    max_line_length: Number
    max_nesting: Number
    max_nodes: Number
    max_literal_bytes: Number
    actions: dict[Name, Act]
    """By the rule's name, the field's in Guard."""
    allowed_modules: tuple[str, ...] | None
    """None: those that ``auto`` lets a program import."""
    packages: tuple[str, ...]
    """What the host has put into the cpython engine."""
    stubs: str | None
    """The tools' declarations, to check types against; None if types are not checked."""
    max_iterations: Number | None
    rules: tuple[OwnRule, ...]


class Found(Frame, frozen=True):
    """One finding. See Finding for the fields."""

    rule: Name
    line: Line
    column: Line
    excerpt: Prose
    message: Prose
    suggestion: Prose
    refuses: bool
    """Whether it keeps the program from running."""


Findings = Annotated[tuple[Found, ...], Meta(max_length=MOST_FINDINGS)]


class Check(Frame, frozen=True, tag="check"):
    """Read a program as if it were to be run, and do not run it."""

    run: Number
    source: str
    inputs: bytes
    """Encoded, as in Run."""
    engine: EngineChoice
    timeout: float
    """Seconds that reading it may take."""


class Read(Frame, frozen=True, tag="read"):
    """What reading a program has found. It is not sent where nothing was found."""

    run: Number
    findings: Findings


class Because(Frame, frozen=True):
    """One thing a program uses that its engine follows from."""

    what: Prose
    line: Line


class Checked(Frame, frozen=True, tag="checked"):
    """The answer to Check."""

    run: Number
    findings: Findings
    engine: EngineName | None
    """The engine it would run on; None if on none."""
    reasons: Annotated[tuple[Because, ...], Meta(max_length=MOST_FINDINGS)]
    """Why on that engine, or why on none; empty where nothing asks for another."""
    graded: Graded | None = None
    """What it scores by; None if programs are not scored, or it is refused before."""
