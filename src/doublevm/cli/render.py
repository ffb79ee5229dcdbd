"""A run for people: coloured on a terminal, plain text in a pipe.

Everything a guest made is hostile to a terminal too: control characters, escape sequences and
characters that reorder text are shown as escapes, and nothing of it is read as markup.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.pretty import Pretty
from rich.table import Table
from rich.text import Text

from doublevm.verdict import Deny, WouldDeny

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doublevm.audit import AuditRecord
    from doublevm.guard.findings import Finding
    from doublevm.result import RunResult

PIPE_WIDTH: Final = 110
LONGEST_ARGUMENT: Final = 60

# C0 and C1 control characters but tab and newline, what changes the direction of text, what nobody
# sees, and halves of characters, which cannot be written.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """Return text with everything that a terminal would obey written as an escape."""
    return _UNSAFE.sub(lambda match: ascii(match.group())[1:-1], text)


def on_one_line(text: str) -> str:
    """Return text as ``visible`` does, and in one line: nothing of it can look like another row."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


class Renderer:
    """Shows one run."""

    def __init__(self) -> None:
        """Write to standard output."""
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console = Console(highlight=False, width=PIPE_WIDTH)
        self._line_open = False

    def output(self, stream: str, text: str) -> None:
        """Show what the program prints, as it prints it."""
        style = "yellow" if stream == "stderr" else ""
        self._console.print(Text(visible(text), style=style), end="", soft_wrap=True)
        self._line_open = not text.endswith("\n")

    def result(self, result: RunResult) -> None:
        """Show the program's value, or what went wrong."""
        if self._line_open:
            self._console.print()
        error = result.error
        refusing = error.findings if error is not None else ()
        warnings = [each for each in result.findings if each not in refusing]
        if warnings:
            self._heading("warnings", "yellow")
            self._findings(warnings, "yellow")
        if error is None:
            self._heading("result", "green")
            self._console.print(Text(visible(_pretty(result.value))), soft_wrap=True)
            return
        self._heading(error.code, "red")
        if refusing:
            self._findings(refusing, "red")
            return
        shown = error.traceback or str(error).removeprefix(f"{error.code}: ")
        self._console.print(Text(visible(shown), style="red"), soft_wrap=True)

    def _findings(self, findings: Iterable[Finding], style: str) -> None:
        for finding in findings:
            self._console.print(Text(visible(str(finding)), style=style), soft_wrap=True)
            if finding.excerpt:
                self._console.print(Text(f"    {visible(finding.excerpt)}"), soft_wrap=True)

    def operations(self, result: RunResult) -> None:
        """Show every operation and what became of it."""
        self._heading("operations", "cyan")
        operations = [record for record in result.audit if record.outcome != "scored"]
        if not operations:
            self._console.print(Text("none"))
            return
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("", "line", "operation", "arguments", "outcome", "ms"):
            table.add_column(name, justify="right" if name in ("", "line", "ms") else "left")
        for record in operations:
            table.add_row(*_row(record))
        self._console.print(table)

    def statistics(self, result: RunResult) -> None:
        """Show what the run took."""
        stats = result.stats
        self._heading("statistics", "cyan")
        parts = [
            f"engine {stats.engine or 'none'}",
            f"{stats.duration:.3f} s",
            f"{stats.tool_calls} tool calls",
            f"{stats.denied} denied",
            *([f"{stats.would_deny} would be denied"] if stats.would_deny else []),
            f"CPU {stats.cpu_time:.2f} s",
            f"peak memory {stats.peak_memory / 2**20:.1f} MiB",
        ]
        self._console.print(Text(" · ".join(parts)))

    def _heading(self, text: str, colour: str) -> None:
        self._console.print(Text(f"── {text} ", style=f"bold {colour}"))


def _pretty(value: object) -> str:
    console = Console(width=PIPE_WIDTH - 10, color_system=None)
    with console.capture() as capture:
        console.print(Pretty(value, max_length=100, max_string=2000))
    return capture.get().rstrip("\n")


def _row(record: AuditRecord) -> tuple[Text, ...]:
    verdict = record.verdict
    denied = isinstance(verdict, Deny)
    outcome = f"denied [{verdict.address}]" if isinstance(verdict, Deny) else record.outcome
    style = "red" if denied else {"returned": "green"}.get(record.outcome, "yellow")
    if isinstance(verdict, WouldDeny):
        outcome, style = f"{outcome}, would be denied [{verdict.address}]", "yellow"
    return (
        Text(str(record.number), style="dim"),
        Text("" if record.line is None else str(record.line), style="dim"),
        Text(visible(record.operation)),
        Text(visible(_arguments(record))),
        Text(visible(outcome), style=style),
        Text("" if denied else f"{record.duration * 1000:.1f}"),
    )


def _arguments(record: AuditRecord) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in record.arguments.items())
    return shown if len(shown) <= LONGEST_ARGUMENT else f"{shown[: LONGEST_ARGUMENT - 1]}…"
