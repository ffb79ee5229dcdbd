"""Operations as rows for people, written as they come: any number of them takes no memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.pretty import pretty_repr
from rich.text import Text

from doublevm.cli.looking.words import (
    STYLES,
    moment_text,
    name_of,
    objection,
    score_of,
)
from doublevm.cli.render import on_one_line, visible
from doublevm.host.sinks.filtering import verdict_name

if TYPE_CHECKING:
    from doublevm.host.sinks.entries import Program
    from doublevm.host.sinks.pairing import StoredOperation

GAP: Final = "  "
WIDTH_IN_PIPES: Final = 140
NARROW: Final = 100
"""Columns of a terminal below which the conversations and the durations are left out."""
LONGEST_ARGUMENT: Final = 1000
"""Characters of one argument that are looked at at all, for a row that shows some dozens."""


def console_for_text() -> Console:
    """Return a console on standard output: as wide as the terminal."""
    console = _Console(highlight=False)
    return console if console.is_terminal else _Console(highlight=False, width=WIDTH_IN_PIPES)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command, as for what is printed without a console."""
        raise BrokenPipeError


class Rows:
    """A table whose rows are not known when its first one is written; so its widths are fixed."""

    def __init__(self, console: Console) -> None:
        """Share the width out: first to what became of an operation, as that has rules in it."""
        self._console = console
        self._day = ""
        wide = console.width >= NARROW
        fixed = {"entry": 6, "time": 12} | ({"run": 11, "ms": 8} if wide else {})
        free = console.width - sum(fixed.values()) - len(GAP) * (len(fixed) + 2)
        outcome = min(max(free * 9 // 20, 6), 34)
        name = min(max(free // 4, 4), 28)
        widths = fixed | {"operation": name, "outcome": outcome}
        widths["arguments"] = max(free - name - outcome, 4)
        order = ("entry", "time", "run", "operation", "arguments", "outcome", "ms")
        self._widths = {column: widths[column] for column in order if column in widths}

    def add(self, operation: StoredOperation) -> None:
        """Write a row; before the first one of a day, in UTC, the day."""
        day, _, time = moment_text(operation.time).partition(" ")
        if day != self._day:
            self._day = day
            self._console.print(Text(f"── {day} UTC ", style="bold cyan"))
            heads = {column: Text(column, style="dim") for column in self._widths}
            self._line(heads | {"entry": Text("", style="dim")})
        what, style = became(operation)
        self._line(
            {
                "entry": Text(str(operation.seq), style="dim"),
                "time": Text(time),
                "run": Text(f"{operation.enclave[:8]}/{operation.run}", style="dim"),
                "operation": Text(on_one_line(name_of(operation))),
                "arguments": Text(on_one_line(arguments_text(operation))),
                "outcome": Text(on_one_line(what), style=style),
                "ms": Text(f"{operation.duration * 1000:.1f}" if operation.duration else ""),
            }
        )

    def _line(self, cells: dict[str, Text]) -> None:
        line = Text()
        for column, width in self._widths.items():
            cell = cells[column]
            if column in ("entry", "ms"):
                cell.pad_left(width - cell.cell_len)
            # Characters that take no room of their own are not endless either.
            cell = cell[: 4 * width]
            cell.truncate(width, overflow="ellipsis", pad=True)
            line.append_text(cell).append(GAP)
        line.rstrip()
        self._console.print(line, no_wrap=True, overflow="ignore", crop=False)


def _line(line: int | None, program: Program | None) -> str:
    """Return the line that made the call, and its text if the trail has the program's source."""
    if line is None:
        return ""
    text = None if program is None else program.text(line)
    return f"line {line}" if text is None else f"line {line}: {on_one_line(text.strip())}"


def became(operation: StoredOperation) -> tuple[str, str]:
    """Return what became of an operation, in some words, and their colour."""
    denied = objection(operation)
    outcome: str = operation.outcome
    style = STYLES.get(outcome, "yellow")
    if outcome == "scored":
        outcome = f"scored {score_of(operation)}"
    if denied is None:
        return outcome, style
    if verdict_name(operation.verdict) == "would_deny":
        return f"{outcome}, would be denied [{denied.address}]", "yellow"
    ending = "denied" if outcome == "denied" else f"{outcome}, denied"
    return f"{ending} [{denied.address}]", "red"


def arguments_text(operation: StoredOperation) -> str:
    """Return arguments as a call has them, cut where no row is that long."""
    return ", ".join(
        f"{name}={repr(value)[:LONGEST_ARGUMENT]}" for name, value in operation.arguments.items()
    )


def show_one(console: Console, operation: StoredOperation, program: Program | None) -> None:
    """Write everything that is known of an operation, and leave nothing out."""
    denied = objection(operation)
    what, style = became(operation)
    facts = {
        "became": Text(on_one_line(what), style=style),
        "reason": Text("" if denied is None else visible(denied.reason)),
        "time": Text(f"{moment_text(operation.time)} UTC"),
        "duration": Text(f"{operation.duration * 1000:.3f} ms" if operation.duration else ""),
        "enclave": Text(on_one_line(operation.enclave)),
        "run": Text(f"{operation.run}, operation {operation.number} of the conversation"),
        "entry": Text(str(operation.seq)),
        "program": Text(_line(operation.line, program)),
    }
    heading = Text(f"── {on_one_line(name_of(operation))} ", style="bold cyan")
    console.print(heading, soft_wrap=True)
    for name, value in facts.items():
        if value.plain:
            console.print(Text(f"{name:<10}", style="dim").append_text(value), soft_wrap=True)
    console.print(Text("── arguments ", style="bold cyan"))
    shown = pretty_repr(dict(operation.arguments), max_width=console.width)
    console.print(Text(visible(shown)), soft_wrap=True)
