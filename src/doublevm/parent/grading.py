"""The parent VM's part in scoring: it reads the features, and asks the rules and the analyzers.

What the signals come to is for the host to say, which may have a scorer of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

import msgspec

from doublevm.barriers.patience import TooSlowError
from doublevm.guard.own_rules import findings
from doublevm.guard.scoring.features import Tools, TooMuchError, features, sendable
from doublevm.guard.scoring.grade import signal_of, signals
from doublevm.guard.scoring.rules.hit import Hit
from doublevm.parent.patience import patience
from doublevm.score import Graded, cut
from doublevm.wire.codec import MAX_VALUE_BYTES

if TYPE_CHECKING:
    import ast

    from doublevm.guard.findings import Finding
    from doublevm.score import Features, Signal
    from doublevm.scoring_options import Analyze
    from doublevm.wire import frames as f

_encode: Final = msgspec.msgpack.Encoder().encode


class _Analyzer(NamedTuple):
    """An analyzer as it has arrived: its function loaded."""

    id: str
    points: int
    analyze: Analyze


class Grader:
    """Grades programs for one conversation."""

    def __init__(self, configure: f.Configure) -> None:
        """Know the tools, and load the host's analyzers, which it trusts."""
        scoring = configure.scoring
        self._tools = Tools(configure.tools if scoring is not None else ())
        self._wants_features = scoring is not None and scoring.features
        self._analyzers = _loaded(scoring) if scoring is not None else ()

    def grade(self, source: str, tree: ast.Module, timeout: float) -> Graded:
        """Return what the rules and the analyzers say of a program.

        Args:
            source: the program.
            tree: its syntax tree.
            timeout: seconds that the rules may take.
        """
        found, said, failure = self._by_rules(source, tree, timeout)
        failures = [failure]
        for analyzer in self._analyzers:
            signal, failure = _ask(analyzer, source)
            said += () if signal is None else (signal,)
            failures.append(failure)
        told = sendable(found) if found is not None and self._wants_features else None
        if told is not None and len(_encode(told)) > MAX_VALUE_BYTES:
            failures.append("it does more with tools than a scorer can be told")
            told = None
        return Graded(said, cut("; ".join(filter(None, failures))), told)

    def _by_rules(
        self, source: str, tree: ast.Module, timeout: float
    ) -> tuple[Features | None, tuple[Signal, ...], str]:
        """Return the features, the rules' signals, and what has failed."""

        def read() -> tuple[Features, tuple[Signal, ...]]:
            found = features(source, tree, self._tools)
            return found, signals(found)

        try:
            found, said = cast("tuple[Features, tuple[Signal, ...]]", patience(read, timeout))
        except TooSlowError:
            return None, (), f"reading what it does with tools took longer than {timeout:g} s"
        except TooMuchError as error:
            return None, (), str(error)
        except RecursionError:
            return None, (), "it is nested too deeply"
        return found, said, ""


def _loaded(scoring: f.Scoring) -> tuple[_Analyzer, ...]:
    if not scoring.analyzers:
        return ()
    import cloudpickle  # noqa: PLC0415 - 10 ms that most enclaves need not pay

    return tuple(
        _Analyzer(own.id, own.points, cloudpickle.loads(own.function)) for own in scoring.analyzers
    )


def _ask(analyzer: _Analyzer, source: str) -> tuple[Signal | None, str]:
    """Return an analyzer's signal, and what has failed. It gets a tree of its own."""
    own = analyzer.id
    try:
        found = cast(
            "list[Finding]", patience(lambda: list(findings(own, analyzer.analyze, source)))
        )
    except TooSlowError:
        return None, f"the analyzer {own!r} took too long"
    # The border to the host's functions: whatever they raise is a failure.
    except Exception as error:  # noqa: BLE001
        return None, f"the analyzer {own!r} failed ({type(error).__name__}: {error})"
    hits = [Hit(each.line, each.column, each.message) for each in found]
    return signal_of(own, analyzer.points, hits), ""
