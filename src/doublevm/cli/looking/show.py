"""``doublevm audit show``: the operations of a trail, one a line, or one of them in full."""

from __future__ import annotations

import json as json_text
import sys
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from doublevm.cli.failing import looking_at_a_trail
from doublevm.cli.looking import choosing as c
from doublevm.cli.looking.table import Rows, console_for_text, show_one
from doublevm.cli.looking.words import as_object
from doublevm.errors import ConfigError
from doublevm.host.sinks.entries import Ended
from doublevm.host.sinks.filtering import Filter
from doublevm.host.sinks.following import follow_trail
from doublevm.host.sinks.pairing import Pairing
from doublevm.host.sinks.reading import read_trail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from doublevm.host.sinks.following import Follower
    from doublevm.host.sinks.pairing import StoredOperation

NEWEST: Final = 50
"""Rows of a table, if nobody says how many."""
BETWEEN: Final = 0.25
"""Seconds between two looks at a trail that is followed."""

EPILOG: Final = (
    "Exit status: 0, also when Ctrl-C ends --follow; 1 something in the trail is no entry; 2 wrong "
    "usage."
)

Entry = Annotated[
    int | None,
    typer.Argument(
        help="Show the one operation of this entry, in full.", min=1, show_default=False
    ),
]
Last = Annotated[
    int | None,
    typer.Option(
        "-n",
        "--last",
        help=f"The newest so many (default: {NEWEST}; all with --json).",
        min=1,
        show_default=False,
    ),
]
All = Annotated[bool, typer.Option("--all", help="All of them, from the oldest.")]
Follow = Annotated[
    bool,
    typer.Option(
        "-f", "--follow", help="Wait for more and show each when it has ended, until Ctrl-C."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each, for scripts.")]


def show(  # noqa: PLR0913 - one parameter an option
    trail: c.Trail,
    entry: Entry = None,
    *,
    since: c.Since = None,
    until: c.Until = None,
    enclave: c.Enclave = None,
    run: c.Run = None,
    operation: c.Operation = None,
    verdict: c.Verdict = None,
    rule: c.Rule = None,
    outcome: c.Outcome = None,
    last: Last = None,
    everything: All = False,
    follow: Follow = False,
    json: Json = False,
) -> None:
    """Show the operations of a trail, oldest first; times are in UTC.

    What was denied in the last hour: `doublevm audit show trail.sqlite --verdict deny --since 1h`.
    The number that a row begins with shows that operation in full: `doublevm audit show
    trail.sqlite 4711`.
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
        if last and everything:
            raise ConfigError("--last and --all contradict each other")
        if entry is None:
            newest = None if everything or (json and last is None) else last or NEWEST
            _show_many(trail, wanted, newest, follow=follow, json=json)
        elif wanted != Filter() or last or everything or follow:
            raise ConfigError("an entry's number says it all; leave the other options out")
        else:
            _show_one(trail, entry, json=json)


def _show_one(trail: Path, entry: int, *, json: bool) -> None:
    reader = read_trail(trail)
    found = next(reader.operations(Filter(seq=entry)), None)
    if found is None:
        raise ConfigError(f"entry {entry} of {trail} is no attempt of an operation")
    if json:
        _write(found)
    else:
        show_one(console_for_text(), found, reader.program_of(found))


def _show_many(
    trail: Path, wanted: Filter, newest: int | None, *, follow: bool, json: bool
) -> None:
    add: Callable[[StoredOperation], None] = _write if json else Rows(console_for_text()).add
    if not follow:
        for each in read_trail(trail).operations(wanted, last=newest):
            add(each)
        return
    try:
        with closing(follow_trail(trail)) as follower:
            _follow(follower, wanted, _until(trail, wanted, newest, follower.skip()), add)
    except KeyboardInterrupt:
        return


def _until(trail: Path, wanted: Filter, newest: int | None, end: int) -> Iterator[StoredOperation]:
    """Return what was there up to an entry; whatever came behind it is for who follows."""
    found = read_trail(trail).operations(wanted, last=newest)
    return (each for each in found if each.seq <= end)


def _follow(
    follower: Follower,
    wanted: Filter,
    before: Iterable[StoredOperation],
    add: Callable[[StoredOperation], None],
) -> None:
    """Show what was there before, then what comes; at Ctrl-C also what has not ended yet."""
    pairing = Pairing(wanted, ordered=False)
    running: dict[tuple[str, int], StoredOperation] = {}
    for each in before:
        add(each)
        if each.outcome == "unknown":
            running[each.enclave, each.number] = each
    try:
        while True:
            sys.stdout.flush()
            for seq, entry in follower.news():
                if isinstance(entry, Ended):
                    begun = running.pop((entry.enclave, entry.number), None)
                    if begun is not None and wanted.outcome in (None, entry.outcome):
                        add(replace(begun, outcome=entry.outcome, duration=entry.duration))
                for each in pairing.take(seq, entry):
                    add(each)
            time.sleep(BETWEEN)
    except KeyboardInterrupt:
        for each in pairing.rest():
            add(each)


def _write(operation: StoredOperation) -> None:
    # ASCII, so that nothing in it means something to a terminal.
    sys.stdout.write(json_text.dumps(as_object(operation)) + "\n")
