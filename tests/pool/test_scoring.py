"""The scoring gate of a pool: each conversation has what it knows of programs to itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from doublevm import Analyzer, ErrorCode, Finding, ScoringGate, tool

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from doublevm import ScoringRequest
    from tests.pool.drivers import Opens


@tool(name="users:list")
def list_users(limit: int = 10) -> list[str]:
    return ["ada"][:limit]


@pytest.mark.parametrize("engine", ["monty", "cpython"])
def test_programs_of_a_pool_are_scored(open_pool: Opens, engine: str) -> None:
    gate = ScoringGate(block_threshold=25)
    pool = open_pool(tools=[list_users], max_workers=1, engine=engine, scoring_gate=gate)
    blocked = pool.run("users.list(limit=50_000)")
    assert blocked.error is not None
    assert blocked.error.code == ErrorCode.SCORING_BLOCKED
    assert pool.run("users.list(limit=1)").unwrap() == ["ada"]
    assert pool.stats.started == 1, "a blocked program costs no pair"


def test_no_conversation_learns_what_another_has_run(open_pool: Opens) -> None:
    asked = []

    def scorer(request: ScoringRequest) -> int:
        asked.append(request.source)
        return 0

    pool = open_pool(max_workers=1, scoring_gate=ScoringGate(scorer=scorer))
    for _ in range(2):
        with pool.enclave() as enclave:
            assert [enclave.run("1").unwrap() for _ in range(2)] == [1, 1]
    assert asked == ["1", "1"]
    assert pool.stats.started == 1


SEEN: list[str] = []


def first_time_only(source: str, tree: ast.Module) -> Iterator[Finding]:
    SEEN.append(source)
    if len(SEEN) > 1:
        yield Finding("", 1, 1, "", "it has seen another")


def test_an_analyzer_forgets_between_conversations(open_pool: Opens) -> None:
    own = Analyzer(id="FIRST", points=100, analyze=first_time_only)
    pool = open_pool(max_workers=1, scoring_gate=ScoringGate(analyzers=(own,)))
    assert [pool.run(program).success for program in "12"] == [True, True]
    with pool.enclave() as enclave:
        assert [enclave.run(program).success for program in "12"] == [True, False]
    assert pool.stats.started == 1
