"""The parent VM's reading of programs: with what it was configured with, and within a time."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from doublevm.barriers.patience import TooSlowError
from doublevm.engines.reading.imports import MODULES
from doublevm.errors import ErrorCode
from doublevm.guard.own_rules import OwnRule, ask
from doublevm.guard.program import Program, Surroundings
from doublevm.guard.reading import Reading, read, unread
from doublevm.guard.rules.unknown_names import makes_names
from doublevm.parent.patience import patience
from doublevm.wire import frames as f
from doublevm.wire import guard_frames as g
from doublevm.wire.codec import decode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doublevm.guard.findings import Finding

LONGEST: Final = 1000
"""Characters of a finding's texts that are told: they quote the program."""
SHOWN: Final = 10
"""Findings in the message of the error; its ``findings`` are all of them."""


class Reader:
    """Reads programs for one conversation."""

    def __init__(self, configure: f.Configure) -> None:
        """Know what programs may contain, and load the host's own rules, which it trusts."""
        self._guarding = configure.guard
        self._around = _surroundings(configure)
        self._own = _own_rules(self._guarding.rules) if self._guarding else ()
        self.earlier: frozenset[str] | None = frozenset()
        """Names that the session's programs have bound; None if they may have bound any."""

    def read(self, source: str, inputs: bytes, timeout: float) -> Reading:
        """Read a program that starts with these inputs, encoded, within ``timeout`` seconds."""
        around = replace(self._around, inputs=frozenset(decode(inputs)), earlier=self.earlier)
        # A syntax tree has no cycles, and looking for some takes as long as the reading.
        gc.disable()
        try:
            reading = patience(lambda: read(source, self._guarding, around), timeout)
        except TooSlowError:
            return unread(source, f"reading the program took longer than {timeout:g} s")
        finally:
            gc.enable()
        assert isinstance(reading, Reading)
        if reading.tree is not None:
            for rule in self._own:
                reading.add(*ask(rule, source, patience))
        return reading

    def remember(self, program: Program) -> None:
        """Know the names of a program that has run, for what else the session runs."""
        if self.earlier is None or makes_names(program.survey):
            self.earlier = None
        else:
            self.earlier |= program.survey.bound | program.around.inputs

    def forget(self) -> None:
        """Know no names: the session has ended, or its guest."""
        self.earlier = frozenset()


def _surroundings(configure: f.Configure) -> Surroundings:
    guarding = configure.guard
    tools = tuple(spec.name for spec in configure.tools)
    listed = None if guarding is None else guarding.allowed_modules
    return Surroundings(
        tools=tools,
        roots=frozenset(name.replace(":", ".").partition(".")[0] for name in tools),
        catch_all=configure.catch_all,
        modules=MODULES if listed is None else frozenset(listed),
        packages=frozenset() if guarding is None else frozenset(guarding.packages),
    )


def _own_rules(rules: Iterable[g.OwnRule]) -> tuple[OwnRule, ...]:
    if not rules:
        return ()
    import cloudpickle  # noqa: PLC0415 - 10 ms that most enclaves need not pay

    return tuple(OwnRule(rule.id, rule.action, cloudpickle.loads(rule.function)) for rule in rules)


def found(reading: Reading) -> tuple[g.Found, ...]:
    """Return the findings as the host is told them, those that refuse first."""
    refusing = [_found(finding, refuses=True) for finding in reading.refusing]
    warning = [_found(finding, refuses=False) for finding in reading.warning]
    return tuple((refusing + warning)[: g.MOST_FINDINGS])


def _found(finding: Finding, *, refuses: bool) -> g.Found:
    excerpt, message, suggestion = (
        _sendable(text) for text in (finding.excerpt, finding.message, finding.suggestion)
    )
    place = finding.rule, finding.line, finding.column
    return g.Found(*place, excerpt, message, suggestion, refuses)


def _sendable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()[:LONGEST]


def refused_unrun(run: int, findings: Iterable[Finding]) -> f.Failed:
    """Return the frame of a program that reading it has refused."""
    first, *more = findings
    type_name = first.message.partition(":")[0] if first.rule == "syntax" else ""
    return f.Failed(
        run,
        ErrorCode.VALIDATION_ERROR,
        _sendable(_message(first, more)),
        f.Usage(0.0, 0),
        type_name,
        first.line,
    )


def _message(first: Finding, more: list[Finding]) -> str:
    """Say all in one line; the first finding's own line is told beside it."""
    parts = [_said(first), *(f"line {each.line}: {_said(each)}" for each in more[: SHOWN - 1])]
    if len(more) >= SHOWN:
        parts.append(f"and {len(more) - SHOWN + 1} more")
    return "; ".join(parts)


def _said(finding: Finding) -> str:
    if finding.rule == "syntax":
        return finding.message
    advice = f" ({finding.suggestion})" if finding.suggestion else ""
    return f"{finding.message}{advice} [guard/{finding.rule}]"
