"""What `doublevm check` says: a table for people, JSON for scripts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from doublevm.cli.render import PIPE_WIDTH, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.findings import Finding
    from doublevm.result import CheckReport
    from doublevm.score import Score


def as_json(report: CheckReport) -> str:
    """Return the report as one JSON object and a newline."""
    return json.dumps(_plain(report), indent=2) + "\n"


def _plain(report: CheckReport) -> dict[str, Any]:
    return {
        "passes": report.passes,
        "engine": report.engine or None,
        "reasons": list(report.reasons),
        "score": None if report.score is None else msgspec.to_builtins(report.score),
        "findings": [
            {**asdict(finding), "refuses": finding in report.refusing}
            for finding in report.findings
        ],
    }


def show(report: CheckReport) -> None:
    """Print the report."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    if report.findings:
        console.print(_table(report))
    verdict, style = ("passes", "green") if report.passes else ("refused", "red")
    console.print(Text(f"{verdict}: {_summary(report)}", style=style), soft_wrap=True)
    for reason in report.reasons:
        console.print(Text(f"  {visible(reason)}"), soft_wrap=True)
    for line in _scored(report.score):
        console.print(Text(visible(line)), soft_wrap=True)


def _scored(score: Score | None) -> Iterator[str]:
    """Say what the scoring gate would do, and why."""
    if score is None:
        return
    what = {"allow": "passes", "warn": "is warned of by", "block": "is blocked by"}[score.decision]
    failure = f"; {score.failure}" if score.failure else ""
    yield f"it scores {score.score} of 100 and {what} the scoring gate{failure}"
    for signal in score.signals:
        place = f"line {signal.line}, column {signal.column}"
        yield f"  {place}: {signal.rule} {signal.points}, {signal.message}"


def _table(report: CheckReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("line", "column"):
        table.add_column(name, justify="right")
    for name in ("rule", "found", "instead"):
        table.add_column(name)
    for finding in report.findings:
        table.add_row(*_row(finding, refuses=finding in report.refusing))
    return table


def _row(finding: Finding, *, refuses: bool) -> tuple[Text, ...]:
    style = "red" if refuses else "yellow"
    said = f"{finding.message}\n{finding.excerpt}" if finding.excerpt else finding.message
    return (
        Text(str(finding.line)),
        Text(str(finding.column)),
        Text(visible(finding.rule), style=style),
        Text(visible(said)),
        Text(visible(finding.suggestion)),
    )


def _summary(report: CheckReport) -> str:
    warnings = len(report.findings) - len(report.refusing)
    counted = f"{len(report.refusing)} errors, {warnings} warnings"
    if report.engine:
        return f"{counted}; it runs on the {report.engine} engine"
    return f"{counted}; no engine runs it"
