"""``doublevm audit``: what can be done with a stored trail."""

from __future__ import annotations

import json as json_text
import sys
from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from doublevm.cli import replay as replaying
from doublevm.cli.failing import USAGE, fail
from doublevm.cli.looking import report as reporting
from doublevm.cli.looking import show as showing
from doublevm.cli.looking import stats as counting
from doublevm.cli.render import PIPE_WIDTH, visible
from doublevm.errors import ConfigError
from doublevm.host.sinks.jsonl import JsonlSink
from doublevm.host.sinks.signing import read_verifier
from doublevm.host.sinks.sqlite import SqliteSink
from doublevm.host.sinks.verifying import verify_trail

if TYPE_CHECKING:
    from doublevm.host.sinks.verifying import Verification

FAULTY = 1

app = typer.Typer(help="Work with stored audit trails.", no_args_is_help=True)


def sink_for(path: Path) -> JsonlSink | SqliteSink:
    """Return the sink that a file's name asks for: ``.jsonl`` for JSON Lines, else SQLite.

    It keeps the program's source, as whoever looks at the trail asks for the line that made a call.

    Raises:
        ConfigError: it cannot be opened.
    """
    kind = JsonlSink if path.suffix == ".jsonl" else SqliteSink
    return kind(path, programs=True)


app.command(epilog=showing.EPILOG)(showing.show)
app.command(epilog=counting.EPILOG)(counting.stats)
app.command(epilog=reporting.EPILOG)(reporting.report)
app.command(epilog=replaying.EPILOG)(replaying.replay)


@app.command(epilog="Exit status: 0 the trail is as it was written, 1 it is not, 2 wrong usage.")
def verify(
    trail: Annotated[Path, typer.Argument(help="The trail's file, of either kind.")],
    *,
    key: Annotated[
        Path | None,
        typer.Option(
            help="What checkpoints have to be signed with: a PEM file of an Ed25519 public key, or "
            "a file of an HMAC secret's bytes."
        ),
    ] = None,
    last_hash: Annotated[
        str | None, typer.Option(help="A hash kept elsewhere: the trail has to reach it.")
    ] = None,
    first: Annotated[
        int, typer.Option(help="The entry it begins with, if old files were deleted.", min=1)
    ] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Say whether a trail is as it was written, and where it was cut, changed or reordered."""
    try:
        verifier = None if key is None else read_verifier(key)
        found = verify_trail(trail, verifier=verifier, first=first, last_hash=last_hash)
    except ConfigError as error:
        fail(f"error: {error}", USAGE)
    if json:
        sys.stdout.write(json_text.dumps({"ok": found.ok, **asdict(found)}, indent=2) + "\n")
    else:
        _show(found, signed=verifier is not None)
    raise typer.Exit(0 if found.ok else FAULTY)


def _show(found: Verification, *, signed: bool) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    if found.ok:
        console.print(Text("The trail is as it was written.", style="green"))
    else:
        console.print(Text("The trail is not as it was written.", style="bold red"))
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("entry", "where", "kind", "problem"):
            table.add_column(name, justify="right" if name == "entry" else "left")
        for fault in found.faults:
            cells = (str(fault.seq), fault.where, fault.kind, fault.problem)
            table.add_row(*(Text(visible(cell)) for cell in cells))
        console.print(table)
    for line in _notes(found, signed=signed):
        console.print(Text(line))


def _notes(found: Verification, *, signed: bool) -> list[str]:
    operations, checkpoints = f"{found.attempts:,} operations", f"{found.checkpoints:,} checkpoints"
    notes = [
        f"{found.entries:,} entries, {operations}, {checkpoints}; the last hash is",
        found.last_hash,
    ]
    if signed and found.ok:
        notes.append(f"Signatures cover the entries to {found.signed_to:,} of {found.last_seq:,}.")
    if found.unknown:
        notes.append(f"{found.unknown:,} operations were allowed and have no outcome.")
    if found.dropped:
        notes.append(f"{found.dropped:,} entries were dropped, as the sink could not keep up.")
    if found.torn:
        notes.append("It ends in half an entry: its host died while it wrote.")
    return notes
