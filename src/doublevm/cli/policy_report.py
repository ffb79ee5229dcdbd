"""What `doublevm policy check` says: a table for people, JSON for scripts."""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from doublevm.cli.render import PIPE_WIDTH, visible
from doublevm.host.options import in_effect
from doublevm.host.policy_file.described import plain
from doublevm.host.policy_file.kinds import Option, sayable
from doublevm.host.policy_file.spelling import dotted, written
from doublevm.levels import SecurityLevel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.host.policy_file.lines import Path
    from doublevm.host.policy_file.reading import Examined


class Row(NamedTuple):
    """One option that is in effect."""

    path: Path
    value: Any
    """As a file would say it."""
    line: int | None
    """The one that says it; None: it holds without a word."""


def as_json(examined: Examined) -> str:
    """Return what was found as one JSON object and a newline."""
    options: dict[str, Any] = {}
    for row in () if examined.problems else _rows(examined):
        table = options
        for name in row.path[:-1]:
            table = table.setdefault(str(name), {})
        table[str(row.path[-1])] = row.value
    problems = [{"line": each.line, "message": each.message} for each in examined.problems]
    report = {"ok": not problems, "problems": problems, "options": options}
    return json.dumps(report, indent=2) + "\n"


def show(examined: Examined) -> None:
    """Print what was found."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    for problem in examined.problems:
        said = f"{examined.name}:{problem.line}: {problem.message}"
        console.print(Text(visible(said), style="red"), soft_wrap=True)
    if not examined.problems:
        console.print(_table(examined))


def _table(examined: Examined) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("option", "value", "line"):
        table.add_column(name, justify="right" if name == "line" else "left")
    for path, value, line in _rows(examined):
        style = "" if line is None else "bold"
        shown = written(value) or "-"
        cells = (dotted(path), shown, "" if line is None else str(line))
        table.add_row(*(Text(visible(cell), style=style) for cell in cells))
    return table


def _rows(examined: Examined) -> Iterator[Row]:
    yield from _options(in_effect(examined.policy), (), examined.lines)


def _options(section: Any, path: Path, lines: dict[Path, int]) -> Iterator[Row]:
    for name, option in sayable(type(section)).items():
        value, here = getattr(section, name), (*path, name)
        if is_dataclass(value):
            yield from _options(value, here, lines)
        else:
            yield Row(here, _said(option, value), lines.get(here))


def _said(option: Option, value: Any) -> Any:
    if option.secret and value:
        return "(not shown)"
    return value.name if isinstance(value, SecurityLevel) else plain(value)
