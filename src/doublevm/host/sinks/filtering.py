"""Which operations of a trail are asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal

from doublevm.host.sinks.entries import verdict_of
from doublevm.verdict import Allow

if TYPE_CHECKING:
    from doublevm.host.sinks.entries import Attempt
    from doublevm.verdict import Verdict

VerdictName = Literal["allow", "deny", "would_deny"]
OutcomeName = Literal["returned", "raised", "abandoned", "denied", "scored", "unknown"]

_GLOB: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which operations are asked for: those that fit everything that is not None."""

    since: float | None = None
    """Seconds since the epoch; attempted then or later."""
    until: float | None = None
    """Attempted before then."""
    enclave: str | None = None
    """The conversation's name, or what it begins with."""
    run: int | None = None
    seq: int | None = None
    """The attempt's place in the trail: one operation."""
    operation: str | None = None
    """A name, or a pattern with ``*``, ``?`` and ``[…]``, as in a shell."""
    allowed: bool | None = None
    verdict: VerdictName | None = None
    rule: str | None = None
    """What objected: ``barrier/rule``."""
    outcome: OutcomeName | None = None

    @property
    def is_pattern(self) -> bool:
        """Whether more than one name of an operation may fit."""
        return self.operation is not None and _GLOB.search(self.operation) is not None

    def fits(self, attempt: Attempt, seq: int) -> bool:
        """Whether an attempt is asked for; of its outcome it says nothing yet."""
        verdict = verdict_of(attempt)
        exact = (
            (self.seq, seq),
            (self.run, attempt.run),
            (self.allowed, verdict.allowed),
            (self.verdict, verdict_name(verdict)),
            (self.rule, None if isinstance(verdict, Allow) else verdict.address),
        )
        if any(wanted is not None and wanted != found for wanted, found in exact):
            return False
        if self.enclave is not None and not attempt.enclave.startswith(self.enclave):
            return False
        if self.operation is not None and not self.fits_name(attempt.operation):
            return False
        after_start = self.since is None or attempt.time >= self.since
        return after_start and (self.until is None or attempt.time < self.until)

    def fits_name(self, name: str) -> bool:
        """Whether an operation's name is asked for."""
        if self.operation is None or not self.is_pattern:
            return self.operation in (None, name)
        return fnmatchcase(name, self.operation)


def verdict_name(verdict: Verdict) -> VerdictName:
    """Return what a verdict is called where operations are filtered and shown."""
    if isinstance(verdict, Allow):
        return "allow"
    return "would_deny" if verdict.allowed else "deny"
