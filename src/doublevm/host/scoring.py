"""The host's part in scoring: it adds up, asks a scorer if there is one, and decides.

What the parent VM says of a program is a claim: it has parsed what anybody may have written. So it
is typed and limited in size before it gets here, and nothing of it is run or looked up.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from doublevm.errors import ConfigError
from doublevm.guard.scoring.grade import decided, reason, total
from doublevm.host.detectors import pickle_function
from doublevm.score import MOST_POINTS, ScoringAnswer, ScoringRequest, cut
from doublevm.scoring_options import HttpScorer, ScoringGate
from doublevm.shapes import brief
from doublevm.verdict import Allow, Deny
from doublevm.wire import frames as f
from doublevm.wire.codec import MAX_VALUE_BYTES
from doublevm.wire.score_frames import OwnAnalyzer

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.score import Graded, Score
    from doublevm.scoring_options import Analyzer
    from doublevm.verdict import Verdict

BARRIER: Final = "scoring"


NOT_ASKED: Final = object()
"""In place of a scorer's answer where there was no question."""


class Unanswered(Exception):  # noqa: N818 - a fact, passed on as a value
    """A scorer has given no answer that can be used; the message says why."""


def scoring_frame(gate: ScoringGate | None) -> f.Scoring | None:
    """Return the settings as a frame, as far as they matter to the parent VM.

    Raises:
        ConfigError: an analyzer's function cannot be sent, or they are too large.
    """
    if gate is None:
        return None
    analyzers = tuple(map(_own, gate.analyzers))
    size = sum(len(each.function) for each in analyzers)
    if size > MAX_VALUE_BYTES:
        raise ConfigError(
            f"scoring_gate.analyzers: their functions, with all they use, have {size:,} bytes; "
            f"{MAX_VALUE_BYTES:,} can be sent to the parent VM"
        )
    return f.Scoring(analyzers=analyzers, features=gate.scorer != "rules")


def _own(analyzer: Analyzer) -> OwnAnalyzer:
    function = pickle_function(analyzer.analyze, f"analyzer {analyzer.id!r}: analyze")
    return OwnAnalyzer(analyzer.id, analyzer.points, function)


def scorer_of(gate: ScoringGate | None) -> Callable[[ScoringRequest], Any] | None:
    """Return the function that is asked in the host, if there is one.

    Raises:
        ConfigError: it is behind a URL, and what is needed for that is not installed.
    """
    if gate is None or gate.scorer == "rules":
        return None
    if not isinstance(gate.scorer, HttpScorer):
        return gate.scorer
    try:
        from doublevm.host.http_scorer import HttpScoring  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"scoring_gate.scorer: an HttpScorer needs {error.name}, which is not installed; "
            "install doublevm[scoring]"
        ) from None
    return HttpScoring(gate.scorer, gate.timeout)


class Gate:
    """The scoring gate of one conversation, with the scores that it knows."""

    def __init__(
        self, options: ScoringGate, scorer: Callable[[ScoringRequest], Any] | None
    ) -> None:
        """Know no program yet; ``scorer`` is what ``scorer_of`` gives."""
        self._options, self._scorer = options, scorer
        self._known: OrderedDict[bytes, Score] = OrderedDict()
        self.timeout = options.timeout
        """Seconds that the scorer may take."""

    def known(self, source: str) -> Score | None:
        """Return the score of a program that was scored before."""
        key = _key(source)
        if key in self._known:
            self._known.move_to_end(key)
        return self._known.get(key)

    def question(self, source: str, graded: Graded) -> Callable[[], Any] | None:
        """Return a function that asks the scorer; None if there is nothing to ask.

        Where something has failed already and the gate closes then, no answer could open it.
        """
        if self._scorer is None or graded.features is None:
            return None
        if graded.failure and not self._options.fail_open:
            return None
        scorer, signals = self._scorer, graded.signals
        request = ScoringRequest(graded.features, signals, total(signals), source)
        return lambda: scorer(request)

    def score(self, source: str, graded: Graded, answer: Any = NOT_ASKED) -> Score:
        """Return what is decided; ``answer`` is the scorer's, whatever that is, if it was asked."""
        score, signals, failures = total(graded.signals), graded.signals, [graded.failure]
        if self._scorer is not None and graded.features is None and not graded.failure:
            failures.append("the scorer could not be told of the program")
        if answer is not NOT_ASKED:
            try:
                said = read_answer(answer)
            except Unanswered as problem:
                failures.append(str(problem))
            else:
                score, signals = math.ceil(said.score), (*signals, *said.signals)
        options = self._options
        result = decided(
            score,
            signals,
            block=options.block_threshold,
            warn=options.warn_threshold,
            fail_open=options.fail_open,
            failure="; ".join(filter(None, failures)),
        )
        if not result.failure:
            self._keep(source, result)
        return result

    def tell(self, score: Score) -> None:
        """Tell the host's ``on_score``; what it raises is the caller's."""
        if self._options.on_score is not None:
            self._options.on_score(score)

    def verdict(self, score: Score) -> Verdict:
        """Return the decision as a verdict, with an address as every denial has one."""
        if score.decision != "block":
            return Allow()
        block = self._options.block_threshold
        rule = "block_threshold" if score.score >= block else "failed"
        return Deny(BARRIER, rule, reason(score, block))

    def _keep(self, source: str, score: Score) -> None:
        self._known[_key(source)] = score
        while len(self._known) > self._options.cache_size:
            self._known.popitem(last=False)


def read_answer(answer: Any) -> ScoringAnswer:
    """Return what a scorer has answered, if it can be used.

    Raises:
        Unanswered: it cannot, or is an Unanswered itself.
    """
    if isinstance(answer, Unanswered):
        raise answer
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        answer = ScoringAnswer(answer)
    if not isinstance(answer, ScoringAnswer):
        raise Unanswered(
            f"the scorer returned {brief(answer, 80)}, neither a number nor a ScoringAnswer"
        )
    try:
        return msgspec.convert(msgspec.to_builtins(answer), ScoringAnswer)
    except (msgspec.ValidationError, TypeError, ValueError, OverflowError) as error:
        raise Unanswered(
            f"the scorer returned what is no score of 0 to {MOST_POINTS} with signals: {error}"
        ) from None


def failed(error: BaseException) -> Unanswered:
    """Return the answer of a scorer that has raised."""
    return Unanswered(cut(f"the scorer failed ({type(error).__name__}: {error})"))


def too_slow(seconds: float) -> Unanswered:
    """Return the answer of a scorer that has not answered."""
    return Unanswered(f"the scorer took longer than {seconds:g} s")


def on_record(source: str, score: Score) -> dict[str, Any]:
    """Return what of a score is put on record; of the program, its SHA-256."""
    return {
        "program": hashlib.sha256(source.encode()).hexdigest(),
        "score": score.score,
        "decision": score.decision,
        "failure": score.failure,
        "signals": [
            {name: getattr(signal, name) for name in _RECORDED} for signal in score.signals
        ],
    }


_RECORDED: Final = ("rule", "points", "line", "column", "places")


def _key(source: str) -> bytes:
    return hashlib.sha256(source.encode()).digest()
