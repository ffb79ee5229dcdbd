from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import Analyzer, ConfigError, HttpScorer, ScoringGate
from doublevm.guard.scoring.rules import RULES
from doublevm.scoring_options import RULE_IDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def analyze(source: str, tree: Any) -> tuple[()]:
    return ()


async def late(_: Any) -> int:
    return 0


async def stream(_: Any) -> AsyncIterator[int]:
    yield 0


class Late:
    async def __call__(self, _: Any) -> int:
        return 0


OWN = Analyzer(id="OWN", points=5, analyze=analyze)
URL = "https://scorer.example/score"

WRONG_GATES: list[tuple[dict[str, Any], str]] = [
    ({"scorer": "model"}, "scoring_gate.scorer must be 'rules', HttpScorer(...) or a function"),
    ({"scorer": None}, "scoring_gate.scorer must be 'rules', HttpScorer(...) or a function"),
    ({"scorer": lambda: 5}, "scoring_gate.scorer must take one argument, the request, not ()"),
    ({"scorer": lambda a, b: 5}, "scoring_gate.scorer must take one argument, the request"),
    ({"block_threshold": 0}, "scoring_gate.block_threshold must be an int of 1 to 100, not 0"),
    ({"block_threshold": 101}, "scoring_gate.block_threshold must be an int of 1 to 100"),
    ({"block_threshold": 70.0}, "scoring_gate.block_threshold must be an int of 1 to 100"),
    ({"block_threshold": True}, "scoring_gate.block_threshold must be an int of 1 to 100"),
    ({"warn_threshold": -1}, "scoring_gate.warn_threshold must be an int of 0 to 100, not -1"),
    ({"warn_threshold": 101}, "scoring_gate.warn_threshold must be an int of 0 to 100"),
    ({"fail_open": "yes"}, "scoring_gate.fail_open must be True or False, not 'yes'"),
    ({"analyzers": OWN}, "scoring_gate.analyzers must be a list or tuple"),
    ({"analyzers": "OWN"}, "scoring_gate.analyzers must be a list or tuple"),
    ({"analyzers": [analyze]}, "scoring_gate.analyzers must be Analyzer(...) each"),
    ({"analyzers": [OWN, OWN]}, "scoring_gate.analyzers: the id 'OWN' is taken"),
    ({"analyzers": [OWN] * 101}, "scoring_gate.analyzers: 100 at most, not 101"),
    ({"on_score": 5}, "scoring_gate.on_score must be a function, not 5"),
    ({"on_score": late}, "scoring_gate.on_score is async and would not be awaited"),
    ({"on_score": functools.partial(late)}, "scoring_gate.on_score is async"),
    ({"on_score": Late()}, "scoring_gate.on_score is async"),
    ({"on_score": stream}, "scoring_gate.on_score is async"),
    ({"on_score": lambda: 5}, "scoring_gate.on_score must take one argument, the score"),
    ({"timeout": 0}, "scoring_gate.timeout must be more than 0 and at most 600 seconds, not 0"),
    ({"timeout": 601}, "scoring_gate.timeout must be more than 0 and at most 600 seconds"),
    ({"timeout": float("nan")}, "scoring_gate.timeout must be more than 0"),
    ({"timeout": "5"}, "scoring_gate.timeout must be seconds, not '5'"),
    ({"timeout": True}, "scoring_gate.timeout must be seconds, not True"),
    ({"cache_size": -1}, "scoring_gate.cache_size must be an int of 0 to 100,000, not -1"),
    ({"cache_size": 1.5}, "scoring_gate.cache_size must be an int of 0 to 100,000"),
]
WRONG_SCORERS: list[tuple[dict[str, Any], str]] = [
    ({"url": 5}, "scorer.url must be text, not 5"),
    ({"url": "scorer.example"}, "scorer.url must be like 'https://…'"),
    ({"url": "ftp://scorer.example"}, "scorer.url must be like 'https://…'"),
    ({"url": "https://"}, "scorer.url must be like 'https://…'"),
    ({"url": "https://scorer.example:many"}, "is no URL"),
    ({"url": "http://scorer.example"}, "use https"),
    ({"url": "http://localhost.example"}, "use https"),
    ({"url": "https://ada:secret@scorer.example"}, "scorer.url has a user in it"),
    ({"headers": [("a", "b")]}, "scorer.headers must be a dict of names and texts"),
    ({"headers": {"a b": "c"}}, "scorer.headers: 'a b' cannot be a header's name"),
    ({"headers": {5: "c"}}, "scorer.headers: 5 cannot be a header's name"),
    ({"headers": {"a": "b\r\nc: d"}}, "scorer.headers['a'] must be text in ASCII, in one line"),
    ({"headers": {"a": "é"}}, "scorer.headers['a'] must be text in ASCII, in one line"),
    ({"headers": {"a": 5}}, "scorer.headers['a'] must be text in ASCII, in one line"),
    ({"timeout": -1}, "scorer.timeout must be more than 0"),
    ({"retries": 11}, "scorer.retries must be an int of 0 to 10, not 11"),
    ({"retries": True}, "scorer.retries must be an int of 0 to 10"),
    ({"send_source": 1}, "scorer.send_source must be True or False, not 1"),
]
WRONG_ANALYZERS: list[tuple[dict[str, Any], str]] = [
    ({"id": ""}, "analyzer id '' must have 1 to 64 of"),
    ({"id": "a b"}, "analyzer id 'a b' must have 1 to 64 of"),
    ({"id": 5}, "analyzer id 5 must have 1 to 64 of"),
    ({"points": -1}, "analyzer 'OWN': points must be an int of 0 to 100, not -1"),
    ({"points": 101}, "analyzer 'OWN': points must be an int of 0 to 100"),
    ({"points": "5"}, "analyzer 'OWN': points must be an int of 0 to 100"),
    ({"analyze": 5}, "analyzer 'OWN': analyze must be a function"),
    ({"analyze": late}, "analyzer 'OWN': analyze is async"),
    ({"analyze": lambda source: ()}, "analyzer 'OWN': analyze must take (source, tree)"),
]


@pytest.mark.parametrize(("options", "message"), WRONG_GATES)
def test_a_wrong_gate(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        ScoringGate(**options)


@pytest.mark.parametrize(("options", "message"), WRONG_SCORERS)
def test_a_wrong_scorer(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        HttpScorer(**{"url": URL, **options})


@pytest.mark.parametrize(("options", "message"), WRONG_ANALYZERS)
def test_a_wrong_analyzer(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Analyzer(**{"id": "OWN", "points": 5, "analyze": analyze, **options})


@pytest.mark.parametrize("name", RULE_IDS)
def test_the_ids_of_the_rules_are_taken(name: str) -> None:
    own = Analyzer(id=name, points=5, analyze=analyze)
    with pytest.raises(ConfigError, match="is taken"):
        ScoringGate(analyzers=[own])  # type: ignore[arg-type]


def test_the_ids_of_the_rules_are_all_there() -> None:
    assert tuple(RULES) == RULE_IDS


@pytest.mark.parametrize("scorer", [late, Late(), lambda request: 5, functools.partial(late), max])
def test_scorers_that_are_fine(scorer: Any) -> None:
    assert ScoringGate(scorer=scorer).scorer is scorer


@pytest.mark.parametrize(
    "url", [URL, "http://localhost:8000", "http://127.0.0.1/score", "http://[::1]:8000/"]
)
def test_urls_that_are_fine(url: str) -> None:
    assert HttpScorer(url=url).url == url


def test_what_was_given_cannot_be_changed_afterwards() -> None:
    headers, analyzers = {"a": "b"}, [OWN]
    scorer, gate = HttpScorer(url=URL, headers=headers), ScoringGate(analyzers=analyzers)  # type: ignore[arg-type]
    headers["c"] = "d"
    analyzers.append(OWN)
    assert dict(scorer.headers) == {"a": "b"}
    assert gate.analyzers == (OWN,)


def test_the_defaults_are_those_of_the_specification() -> None:
    gate = ScoringGate()
    assert (gate.scorer, gate.block_threshold, gate.warn_threshold) == ("rules", 70, 40)
    assert not gate.fail_open
