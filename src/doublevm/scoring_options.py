"""The settings of the scoring gate: who scores a program, and what becomes of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from doublevm.callables import is_async, wrong_function
from doublevm.errors import ConfigError
from doublevm.score import MOST_POINTS, Score, ScoringRequest
from doublevm.shapes import brief

if TYPE_CHECKING:
    import ast

    from doublevm.guard.findings import Finding

Analyze = Callable[[str, "ast.Module"], "Iterable[Finding]"]

Scorer = Callable[[ScoringRequest], Any]
"""Gives a number from 0 to 100, or a ScoringAnswer; it may be async."""

MOST_SECONDS: Final = 600.0
MOST_RETRIES: Final = 10
MOST_CACHED: Final = 100_000
MOST_ANALYZERS: Final = 100

_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_AT_HOME: Final = frozenset(("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyzer:
    """A rule of your own. Its function runs in the parent VM, for every program.

    Raises:
        ConfigError: the id or the points are not usable, or ``analyze`` is not a plain function of
            two arguments.
    """

    id: str
    """Names its signal: letters, digits, ``_ . -``, 64 at most."""
    points: int
    """What it adds to the score, 0 to 100, once, however much it finds."""
    analyze: Analyze
    """``analyze(source, tree)`` returns findings, which ``Finding.at`` makes, or yields them. One
    that raises, takes too long, or gives anything else has failed, and scoring with it."""

    def __post_init__(self) -> None:
        """Check the fields."""
        if not _is_id(self.id):
            raise ConfigError(
                f"analyzer id {brief(self.id, 80)} must have 1 to 64 of A-Z a-z 0-9 _ . -"
            )
        _check_points(f"analyzer {self.id!r}: points", self.points, 0)
        wrong = wrong_function("analyze", self.analyze, ("source", "tree"))
        if wrong:
            raise ConfigError(f"analyzer {self.id!r}: {wrong}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpScorer:
    """A scorer behind a URL. It runs in your process, and needs ``doublevm[scoring]``.

    Raises:
        ConfigError: a value is of the wrong type or out of range, or the URL is not one to send
            such things to.
    """

    url: str
    """Where a request is posted: ``https``, or ``http`` to this machine itself."""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Sent along, a key of the service's say; not shown in a repr."""
    timeout: float = 2.0
    """Seconds that one attempt may take."""
    retries: int = 2
    """Attempts after the first: where there was no answer, or one of status 429 or 5xx."""
    send_source: bool = False
    """Whether the program itself is sent, besides its features."""

    def __post_init__(self) -> None:
        """Check the fields."""
        _check_url(self.url)
        object.__setattr__(self, "headers", _headers(self.headers))
        _check_seconds("scorer.timeout", self.timeout)
        _check_count("scorer.retries", self.retries, MOST_RETRIES)
        _check_bool("scorer.send_source", self.send_source)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringGate:
    """Scores every program before it runs, and blocks those that look too suspicious.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    scorer: Literal["rules"] | HttpScorer | Scorer = "rules"
    """``"rules"``: the built-in rules and the analyzers. An ``HttpScorer``, or a function, plain or
    async, that takes a ScoringRequest: what it says is the score, whatever the rules say; it is
    told their signals. Both run in your process."""
    block_threshold: int = 70
    """The score from which on a program is not run, 1 to 100."""
    warn_threshold: int = 40
    """The score from which on the decision is ``"warn"``, 0 to 100."""
    fail_open: bool = False
    """What becomes of a program when scoring it has failed. False: it is blocked. True: what has
    failed says nothing, the rest decides, and the decision is ``"warn"`` at least."""
    analyzers: tuple[Analyzer, ...] = ()
    """Rules of your own, beside the built-in ones, in this order."""
    on_score: Callable[[Score], object] | None = None
    """Called in your process with the Score of every program, before it runs or is blocked. What it
    raises leaves ``run()``."""
    timeout: float = 10.0
    """Seconds that a scorer of yours may take for a program, retries included. They do not count
    towards the run's own timeout."""
    cache_size: int = 256
    """Scores that each enclave keeps, by program; 0: none. Failures are not kept."""

    def __post_init__(self) -> None:
        """Check the fields, freeze the analyzers."""
        scorer: object = self.scorer
        if scorer != "rules" and not isinstance(scorer, HttpScorer):
            _check_function("scorer", self.scorer, may_be_async=True)
        _check_points("scoring_gate.block_threshold", self.block_threshold, 1)
        _check_points("scoring_gate.warn_threshold", self.warn_threshold, 0)
        _check_bool("scoring_gate.fail_open", self.fail_open)
        object.__setattr__(self, "analyzers", _analyzers(self.analyzers))
        if self.on_score is not None:
            _check_function("on_score", self.on_score, may_be_async=False)
        _check_seconds("scoring_gate.timeout", self.timeout)
        _check_count("scoring_gate.cache_size", self.cache_size, MOST_CACHED)


def _is_id(name: object) -> bool:
    return isinstance(name, str) and _ID.match(name) is not None


def _analyzers(analyzers: Any) -> tuple[Analyzer, ...]:
    if isinstance(analyzers, str | bytes) or not isinstance(analyzers, Iterable):
        raise ConfigError(
            f"scoring_gate.analyzers must be a list or tuple, not {brief(analyzers, 80)}"
        )
    kept = tuple(analyzers)
    if len(kept) > MOST_ANALYZERS:
        raise ConfigError(f"scoring_gate.analyzers: {MOST_ANALYZERS} at most, not {len(kept):,}")
    seen: set[str] = set()
    for analyzer in kept:
        if not isinstance(analyzer, Analyzer):
            raise ConfigError(
                f"scoring_gate.analyzers must be Analyzer(...) each, not {brief(analyzer, 80)}"
            )
        if analyzer.id in seen or analyzer.id in RULE_IDS:
            raise ConfigError(
                f"scoring_gate.analyzers: the id {analyzer.id!r} is taken; choose another"
            )
        seen.add(analyzer.id)
    return kept


RULE_IDS: Final = (
    "SENSITIVE_FIELD",
    "EXCESSIVE_LIMIT",
    "WILDCARD_QUERY",
    "LOOP_TOOL_CALL",
    "EXFIL_PATTERN",
    "EXTREME_VALUE",
    "DYNAMIC_TOOL",
    "BULK_OPERATION",
)
"""The built-in rules."""


def _check_function(name: str, function: Any, *, may_be_async: bool) -> None:
    what = "'rules', HttpScorer(...) or a function" if name == "scorer" else "a function"
    if not callable(function):
        raise ConfigError(f"scoring_gate.{name} must be {what}, not {brief(function, 80)}")
    if not may_be_async and is_async(function):
        raise ConfigError(f"scoring_gate.{name} is async and would not be awaited; make it plain")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # it has none that can be read, as some builtins have not
        return
    try:
        signature.bind(None)
    except TypeError:
        takes = "the request" if name == "scorer" else "the score"
        raise ConfigError(
            f"scoring_gate.{name} must take one argument, {takes}, not {signature}"
        ) from None


def _check_url(url: object) -> None:
    if not isinstance(url, str):
        raise ConfigError(f"scorer.url must be text, not {brief(url, 80)}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"scorer.url {brief(url, 80)} is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"scorer.url must be like 'https://…', not {brief(url, 80)}")
    if parts.scheme == "http" and host not in _AT_HOME:
        raise ConfigError(
            "scorer.url: what programs do with tools is nobody's business on the way; use https, "
            "which http is as good as on localhost only"
        )
    if parts.username is not None:
        raise ConfigError("scorer.url has a user in it, which logs would show; use headers")


def _headers(headers: Any) -> Mapping[str, str]:
    if not isinstance(headers, Mapping):
        raise ConfigError("scorer.headers must be a dict of names and texts")
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER.match(name):
            raise ConfigError(f"scorer.headers: {brief(name, 80)} cannot be a header's name")
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise ConfigError(f"scorer.headers[{name!r}] must be text in ASCII, in one line")
    return MappingProxyType(dict(headers))


def _check_points(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST_POINTS:
        raise ConfigError(f"{name} must be an int of {least} to {MOST_POINTS}, not {brief(value)}")


def _check_count(name: str, value: object, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ConfigError(f"{name} must be an int of 0 to {most:,}, not {brief(value)}")


def _check_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{name} must be seconds, not {brief(value)}")
    if not 0 < value <= MOST_SECONDS:  # which a NaN is not, either
        raise ConfigError(
            f"{name} must be more than 0 and at most {MOST_SECONDS:.0f} seconds, not {brief(value)}"
        )


def _check_bool(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be True or False, not {brief(value)}")
