"""``doublevm audit stats``: what a trail comes to."""

from __future__ import annotations

import json as json_text
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from doublevm.cli.failing import looking_at_a_trail
from doublevm.cli.looking import choosing as c
from doublevm.cli.looking.figures import MOST_CONVERSATIONS, PARTS, Figures
from doublevm.cli.looking.table import console_for_text
from doublevm.cli.looking.words import STYLES, moment_text
from doublevm.cli.render import on_one_line
from doublevm.host.sinks.reading import read_trail

if TYPE_CHECKING:
    from rich.console import Console

SHOWN: Final = 20
"""Rows of each table; --json has them all."""

EPILOG: Final = "Exit status: 0; 1 something in the trail is no entry; 2 wrong usage."


def stats(  # noqa: PLR0913 - one parameter an option
    trail: c.Trail,
    *,
    since: c.Since = None,
    until: c.Until = None,
    enclave: c.Enclave = None,
    run: c.Run = None,
    operation: c.Operation = None,
    verdict: c.Verdict = None,
    rule: c.Rule = None,
    outcome: c.Outcome = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Count a trail's operations: denials by rule, outcomes, rates, how long tools took.

    Every operation that fits is read, some hundred thousand in a few seconds; how many there are
    makes no difference to the memory it takes. Quantiles are right to half a percent.
    """
    with looking_at_a_trail():
        wanted = c.chosen(
            since=since,
            until=until,
            enclave=enclave,
            run=run,
            operation=operation,
            verdict=verdict,
            rule=rule,
            outcome=outcome,
        )
        figures = Figures().add(read_trail(trail).operations(wanted, ordered=False))
        if json:
            sys.stdout.write(json_text.dumps(figures.as_object(), indent=2) + "\n")
        else:
            _show(console_for_text(), figures)


def _show(console: Console, figures: Figures) -> None:
    _heading(console, "operations")
    for line in _summary(figures):
        console.print(line, soft_wrap=True)
    for title, table in (
        ("denials", _rules(figures)),
        ("outcomes", _outcomes(figures)),
        ("tools", _operations(figures)),
    ):
        if table.row_count:
            _heading(console, title)
            console.print(table)
    if figures.scores or figures.blocked:
        _heading(console, "scores")
        mean = "" if figures.mean_score is None else f"mean {figures.mean_score:.1f} · "
        largest = f"largest {max(figures.scores)} · " if figures.scores else ""
        scored = f"{sum(figures.scores.values()):,} programs · "
        console.print(Text(f"{scored}{mean}{largest}{figures.blocked:,} blocked"))


def _summary(figures: Figures) -> list[Text]:
    conversations = f"{figures.conversations:,} conversations"
    if figures.conversations == 1:
        conversations = "1 conversation"
    elif figures.conversations > MOST_CONVERSATIONS:
        conversations = f"more than {MOST_CONVERSATIONS:,} conversations"
    verdicts = figures.verdicts
    line = Text(f"{figures.count:,} in {conversations}: ")
    line.append(f"{verdicts['allow']:,} allowed", "green").append(" · ")
    line.append(f"{verdicts['deny']:,} denied", "red" if verdicts["deny"] else "")
    if verdicts["would_deny"]:
        line.append(" · ").append(f"{verdicts['would_deny']:,} would be denied", "yellow")
    if unknown := figures.outcomes["unknown"]:
        line.append(" · ").append(f"{unknown:,} without an outcome", "magenta")
    if not figures.count:
        return [line]
    span = f"from {moment_text(figures.first)} to {moment_text(figures.last)} UTC"
    peak = f"{figures.peak:,} in the second from {moment_text(figures.peak_at)[:19]}"
    return [line, Text(span), Text(f"{figures.mean_rate:.2f} a second at the mean, at most {peak}")]


def _rules(figures: Figures) -> Table:
    table = _table("count", "rule", "last", "")
    for name, rule in list(figures.rules)[:SHOWN]:
        let = f"{rule.would:,} were let through" if rule.would else ""
        cells = (f"{rule.count:,}", on_one_line(name), moment_text(rule.last)[:19], let)
        table.add_row(*map(Text, cells))
    return table


def _outcomes(figures: Figures) -> Table:
    table = _table("count", "outcome")
    for name, count in figures.outcomes.most_common():
        table.add_row(Text(f"{count:,}"), Text(name, style=STYLES.get(name, "yellow")))
    return table


def _operations(figures: Figures) -> Table:
    table = _table("count", "operation", *(f"{part} ms" for part in (*PARTS, "max")), "denied")
    ranked = list(figures.operations)
    for name, found in ranked[:SHOWN]:
        durations = [*map(found.durations.at, PARTS.values()), found.durations.largest]
        shown = [f"{each * 1000:,.1f}" if found.durations.count else "" for each in durations]
        denied = f"{found.denied:,}" if found.denied else ""
        cells = (f"{found.count:,}", on_one_line(name) or "''", *shown, denied)
        table.add_row(*map(Text, cells))
    others = sum(found.count for _, found in ranked[SHOWN:]) + figures.operations.others
    if others:
        table.add_row(Text(f"{others:,}"), Text("(others)", style="dim"))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        right = name in ("count", "denied") or name.endswith(" ms")
        table.add_column(name, justify="right" if right else "left")
    return table


def _heading(console: Console, text: str) -> None:
    console.print(Text(f"── {text} ", style="bold cyan"))
