"""Few false alarms: of the programs that mean no harm, next to none would be blocked."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING

from doublevm import ScoringGate, tool
from doublevm.guard.scoring.features import Tools, features
from doublevm.guard.scoring.grade import signals, total
from tests.guard.harmless_programs import ALL, OVER_TOOLS

if TYPE_CHECKING:
    import pytest

    from doublevm.score import Signal
    from tests.guard.harmless_programs import Harmless

MOST = 0.02
GATE = ScoringGate()


def _anything() -> None:
    """Stand for any tool."""


def scored(program: Harmless) -> tuple[Signal, ...]:
    try:
        tree = ast.parse(program.source)
    except SyntaxError:
        return ()
    tools = Tools([tool(name=name)(_anything).spec for name in program.tools])
    return signals(features(program.source, tree, tools))


def test_next_to_none_would_be_blocked(capsys: pytest.CaptureFixture[str]) -> None:
    found = {program.id: scored(program) for program in ALL}
    scores = {name: total(said) for name, said in found.items()}
    blocked = {name: found[name] for name in found if scores[name] >= GATE.block_threshold}
    warned = sum(score >= GATE.warn_threshold for score in scores.values()) - len(blocked)
    over_tools = {name for name in blocked if name in {program.id for program in OVER_TOOLS}}
    rules = Counter(signal.rule for said in found.values() for signal in said)
    with capsys.disabled():
        print(  # noqa: T201 - the share is to be seen
            f"\nthe scoring gate blocks {len(blocked)} of {len(ALL)} programs "
            f"({len(blocked) / len(ALL):.1%}), {len(over_tools)} of the {len(OVER_TOOLS)} over "
            f"tools, and warns of {warned}; {dict(rules)}"
        )
    assert len(ALL) >= 300
    assert len(blocked) / len(ALL) < MOST, blocked
    assert len(over_tools) / len(OVER_TOOLS) < MOST, blocked
    assert len(over_tools) / len(OVER_TOOLS) < MOST, blocked
