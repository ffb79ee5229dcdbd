"""One run's scoring as the host sees it: what is known, what is asked, what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doublevm.errors import ErrorCode, GuestError, ProtocolError
from doublevm.host.scoring import on_record
from doublevm.verdict import Deny
from doublevm.wire import frames as f

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from doublevm.host.scoring import Gate
    from doublevm.score import Graded, Score
    from doublevm.verdict import Verdict


class Gating:
    """The gate before one run; open where there is no gate."""

    def __init__(
        self,
        gate: Gate | None,
        frame: f.Run,
        record: Callable[[Mapping[str, Any], Verdict], None],
    ) -> None:
        """Know nothing; ``record`` puts a score on record."""
        self._gate, self._frame, self._record = gate, frame, record
        self.score: Score | None = None
        """None until it has been decided."""
        self._denial: Deny | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether the program may not run."""
        if self._denial is not None:
            return True
        return self.score is not None and self.score.decision == "block"

    @property
    def timeout(self) -> float:
        """Seconds that a scorer may take."""
        return self._gate.timeout if self._gate is not None else 0.0

    def recall(self) -> None:
        """Decide at once if the program is known."""
        if self._gate is not None and not self._frame.score and self.score is None:
            known = self._gate.known(self._frame.source)
            assert known is not None
            self._take(self._gate, known)

    def question(self, graded: Graded) -> Callable[[], Any] | None:
        """Return what asks the host's scorer, if it is to be asked.

        Raises:
            ProtocolError: nobody has asked the parent VM for a score.
        """
        if self._gate is None or not self._frame.score:
            raise ProtocolError("parent", "scored", "a score that nobody has asked for")
        return self._gate.question(self._frame.source, graded)

    def decide(self, graded: Graded, answer: Any) -> None:
        """Decide, by what the parent VM and the host's scorer say."""
        assert self._gate is not None
        self._take(self._gate, self._gate.score(self._frame.source, graded, answer))

    def deny(self, denial: Deny) -> None:
        """Block the program whatever its score is."""
        self._denial = denial

    @property
    def decided(self) -> f.Decided:
        """The decision, for the parent VM."""
        return f.Decided(self._frame.run, not self.is_blocked)

    def check_start(self) -> None:
        """Hold the parent VM to the decision.

        Raises:
            ProtocolError: it starts a program that was blocked, or that it has not had decided.
        """
        if self.is_blocked or (self._gate is not None and self.score is None):
            raise ProtocolError("parent", "started", "a program that was not let through")

    def check_failure(self, failed: f.Failed) -> None:
        """Likewise, of how a run ended.

        Raises:
            ProtocolError: it ends by a score that was not the host's decision, or otherwise.
        """
        if (failed.code == ErrorCode.SCORING_BLOCKED) != self.is_blocked:
            raise ProtocolError("parent", "failed", "another end than what the host has decided")

    def error(self) -> GuestError:
        """Return why a program was blocked."""
        assert self._gate is not None
        assert self.score is not None
        verdict = self._denial or self._gate.verdict(self.score)
        assert isinstance(verdict, Deny)
        # What has failed is the host's: its analyzer, its scorer, the URL of that.
        why = "it could not be scored" if verdict.rule == "failed" else verdict.reason
        message = f"the program was not run: {why} [{verdict.address}]"
        line = self.score.signals[0].line if self.score.signals else None
        return GuestError(ErrorCode.SCORING_BLOCKED, message, line=line, verdict=verdict)

    def _take(self, gate: Gate, score: Score) -> None:
        self.score = score
        self._record(on_record(self._frame.source, score), gate.verdict(score))
        gate.tell(score)
