"""What a policy would have denied is shown with the operation."""

from __future__ import annotations

import json

import pytest

from doublevm import Allow, AuditRecord, Deny, RunResult, RunStats, WouldDeny
from doublevm.cli.render import Renderer
from doublevm.cli.report import as_json


def result(would_deny: int = 1) -> RunResult:
    verdicts = [
        (Allow(), "returned"),
        (WouldDeny("names", "blocked", "why"), "raised"),
        (Deny("names", "grammar", "no name"), "denied"),
    ]
    audit = tuple(
        AuditRecord(n, 1, 1.0, "x", {}, verdict, outcome, 0.0)  # type: ignore[arg-type]  # of the list
        for n, (verdict, outcome) in enumerate(verdicts, 1)
    )
    return RunResult(None, None, "", "", RunStats(0.0, 2, 1, would_deny, 0.0, 0, "monty"), audit)


def test_it_stands_beside_the_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    Renderer().operations(result())
    rows = capsys.readouterr().out.splitlines()[-3:]
    assert "returned " in rows[0]
    assert "raised, would be denied [names/blocked]" in rows[1]
    assert "denied [names/grammar]" in rows[2]
    assert "would" not in rows[0] + rows[2]


@pytest.mark.parametrize("count", [0, 1])
def test_it_is_counted_where_there_is_any(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    Renderer().statistics(result(count))
    assert ("1 would be denied" in capsys.readouterr().out) is bool(count)


def test_json_names_it() -> None:
    report = json.loads(as_json(result()))
    assert report["stats"]["would_deny"] == 1
    found = [(each["would_be_denied_by"], each["reason"]) for each in report["operations"]]
    assert found == [(None, None), ("names/blocked", "why"), (None, "no name")]
    assert [each["denied_by"] for each in report["operations"]] == [None, None, "names/grammar"]
