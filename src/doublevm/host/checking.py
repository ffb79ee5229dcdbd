"""One check as the host sees it: a program is read by a parent VM, and not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from doublevm.errors import ProtocolError, VMError
from doublevm.host import effects
from doublevm.host.guarding import findings_of
from doublevm.host.scoring import NOT_ASKED
from doublevm.result import CheckReport
from doublevm.wire import frames as f

if TYPE_CHECKING:
    from collections.abc import Generator

    from doublevm.host.holding import Fault
    from doublevm.host.scoring import Gate
    from doublevm.score import Score


class HostCheck:
    """The state of one check."""

    spent: Final = False
    has_started: Final = False
    fault: Final[Fault] = "failed"

    def __init__(self, frame: f.Check, buffer: float, gate: Gate | None = None) -> None:
        """Prepare to send ``frame``; ``buffer`` is granted beyond its timeout; ``gate`` scores."""
        self._frame, self._buffer, self._gate = frame, buffer, gate

    def steps(self) -> Generator[effects.Effect, Any, CheckReport]:
        """Ask; return the answer."""
        yield effects.Send(self._frame)
        yield effects.Clock(self._frame.timeout + self._buffer)
        while True:
            match (yield effects.Next()):
                case f.Checked(run=number) as checked if number == self._frame.run:
                    return _report(checked, (yield from self._score(checked)))
                case effects.Finished() | effects.Escaped():
                    pass  # of a run that was stopped: nobody waits for it
                case frame:
                    raise ProtocolError("parent", f.frame_name(frame), "no answer to a check")

    def _score(self, checked: f.Checked) -> Generator[effects.Effect, Any, Score | None]:
        """Score the program as a run would; nobody is told, and nothing is put on record."""
        gate, graded = self._gate, checked.graded
        refused = any(each.refuses for each in checked.findings)
        if (graded is None) != (gate is None or refused):
            raise ProtocolError("parent", "checked", "a score that is missing, or not asked for")
        if gate is None or graded is None:
            return None
        source = self._frame.source
        ask = gate.question(source, graded)
        answer = NOT_ASKED if ask is None else (yield effects.Consult(ask, gate.timeout))
        return gate.score(source, graded, answer)

    def timed_out(self) -> CheckReport:
        """Give up."""
        raise VMError(f"the program was not read within {self._frame.timeout:g} s")


def _report(checked: f.Checked, score: Score | None) -> CheckReport:
    return CheckReport(
        findings=findings_of(checked.findings),
        refusing=findings_of(each for each in checked.findings if each.refuses),
        engine=checked.engine or "",
        reasons=tuple(f"line {reason.line}: {reason.what}" for reason in checked.reasons),
        score=score,
    )
