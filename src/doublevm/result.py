"""What a run gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from doublevm.shapes import brief

if TYPE_CHECKING:
    from doublevm.audit import AuditRecord
    from doublevm.confinement import Confinement
    from doublevm.errors import GuestError
    from doublevm.guard.findings import Finding
    from doublevm.score import Score


_SHOWN: Final = 300
"""Characters of a field in a result's repr."""


@dataclass(frozen=True, slots=True)
class RunStats:
    """What a run took."""

    duration: float
    """Wall-clock seconds from the guest's start to its end, tools included."""
    tool_calls: int
    """Operations that reached a handler."""
    denied: int
    """Operations that were denied."""
    would_deny: int
    """Of those that reached a handler, the ones that a policy would have denied, were it enforced.
    """
    cpu_time: float
    """Seconds of CPU of the inner VM, as far as the parent VM can tell; 0.0 if it was killed. On
    cpython the guest's process says it of itself when a program came to its end."""
    peak_memory: int
    """Bytes the inner VM's process had resident at most, its interpreter included; likewise."""
    engine: str
    """``"monty"`` or ``"cpython"``; empty if the program was refused before it ran."""


@dataclass(frozen=True, slots=True, repr=False)
class RunResult:
    """How a program ended, what it printed and what it attempted."""

    value: Any
    """Value of the last expression or of a top-level ``return``; None after an error."""
    error: GuestError | None
    """What the guest did wrong, or None."""
    stdout: str
    """What the program printed."""
    stderr: str
    """What the program printed to ``sys.stderr``."""
    stats: RunStats
    """What the run took."""
    audit: tuple[AuditRecord, ...]
    """One record per attempted operation, in order; before them one of the score, if there is."""
    confinement: Confinement | None = None
    """What confined the VMs of this run; None in a result that no VM has given."""
    findings: tuple[Finding, ...] = ()
    """What reading the program has found: what refused it, if anything did, and warnings."""
    score: Score | None = None
    """What the scoring gate says of the program; None without a gate, or if it was refused before.
    """

    def __repr__(self) -> str:
        """Say the most of it in short: a guest chooses values that no log should break upon."""
        names = ("value", "error", "stdout", "stderr", "stats")
        shown = [f"{name}={brief(getattr(self, name), _SHOWN)}" for name in names]
        return f"RunResult({', '.join(shown)}, audit=<{len(self.audit)} records>)"

    @property
    def success(self) -> bool:
        """Whether the program ended by itself and with a value that could cross."""
        return self.error is None

    def unwrap(self) -> Any:
        """Return the value.

        Raises:
            GuestError: the run failed.
        """
        if self.error is not None:
            raise self.error
        return self.value


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What reading a program has found, which has not been run."""

    findings: tuple[Finding, ...]
    """All that was found, in the order of the text: what refuses the program, then warnings."""
    refusing: tuple[Finding, ...]
    """Those for which it would not be run."""
    engine: str
    """The engine that it would run on: ``"monty"``, ``"cpython"``, or empty if on none."""
    reasons: tuple[str, ...]
    """Why on that engine, or why on none, with lines; empty where nothing asks for another."""
    score: Score | None = None
    """What the scoring gate says of it; None without a gate, or if something refuses it before."""

    @property
    def passes(self) -> bool:
        """Whether the program would be run."""
        blocked = self.score is not None and self.score.decision == "block"
        return not self.refusing and not blocked and bool(self.engine)
