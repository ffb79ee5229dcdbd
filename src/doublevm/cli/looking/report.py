"""``doublevm audit report``: a trail as a page for a browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from doublevm.cli.failing import looking_at_a_trail
from doublevm.cli.looking import choosing as c
from doublevm.cli.looking.page import page
from doublevm.cli.looking.words import moment_text
from doublevm.host.sinks.files import PRIVATE
from doublevm.host.sinks.reading import read_trail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doublevm.host.sinks.pairing import StoredOperation

LIMIT: Final = 10_000
"""Operations with which the page is still fluent on a small machine."""

EPILOG: Final = "Exit status: 0; 1 something in the trail is no entry; 2 wrong usage."

Output = Annotated[
    Path,
    typer.Option(
        "-o", "--output", help="The page's file; what was there is replaced.", dir_okay=False
    ),
]
Limit = Annotated[
    int, typer.Option(help="The newest so many; with many more the page becomes slow.", min=1)
]


def report(  # noqa: PLR0913 - one parameter an option
    trail: c.Trail,
    *,
    output: Output = Path("report.html"),
    limit: Limit = LIMIT,
    since: c.Since = None,
    until: c.Until = None,
    enclave: c.Enclave = None,
    run: c.Run = None,
    operation: c.Operation = None,
    verdict: c.Verdict = None,
    rule: c.Rule = None,
    outcome: c.Outcome = None,
) -> None:
    """Write a trail as a page of HTML: a timeline, filters, each operation, each run's sequence.

    The page is one file, for any browser. It loads nothing and sends nothing; what guests chose is
    shown as text. Arguments and reasons are on it: only you may read the file.
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
        reader = read_trail(trail)
        found = list(reader.operations(wanted, last=limit + 1))
        shown = found[-limit:]
        text = page(
            shown,
            reader.programs(),
            title=f"{trail.name}: audit trail",
            about=_about(trail, shown),
            notice=_notice(limit) if len(found) > limit else "",
        )
        _write(output, text)
        sys.stdout.write(f"{output}: {len(shown):,} operations\n")


def _notice(limit: int) -> str:
    return (
        f"These are the newest {limit:,} operations; there are older ones. Choose others with "
        "--since and --until, or more with --limit."
    )


def _about(trail: Path, shown: Sequence[StoredOperation]) -> str:
    if not shown:
        return f"{trail.name}, no operation"
    first, last = (moment_text(each.time)[:19] for each in (shown[0], shown[-1]))
    return f"{trail.name}, {first} to {last} UTC"


def _write(path: Path, text: str) -> None:
    def private(name: str, flags: int) -> int:
        return os.open(name, flags, PRIVATE)

    with open(path, "w", encoding="utf-8", opener=private) as file:
        file.write(text)
