"""The parent VM's reading of programs: with what it was configured with, and within a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from doublevm.barriers.patience import TooSlowError
from doublevm.errors import ErrorCode
from doublevm.guard.own_rules import OwnRule, ask
from doublevm.guard.reading import Reading, Surroundings, read, unread
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
        self._tools = tuple(spec.name for spec in configure.tools)
        self._own = _own_rules(self._guarding.rules) if self._guarding else ()

    def read(self, source: str, inputs: bytes, timeout: float) -> Reading:
        """Read a program that starts with these inputs, encoded, within ``timeout`` seconds."""
        surroundings = Surroundings(self._tools, frozenset(decode(inputs)))
        try:
            reading = patience(lambda: read(source, self._guarding, surroundings), timeout)
        except TooSlowError:
            return unread(source, f"reading the program took longer than {timeout:g} s")
        assert isinstance(reading, Reading)
        if reading.tree is not None:
            for rule in self._own:
                reading.add(*ask(rule, source, patience))
        return reading


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
