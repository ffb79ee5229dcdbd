"""``doublevm audit replay``: what another policy would have said to a stored trail."""

from __future__ import annotations

import json as json_text
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from doublevm.audit import verdict_as_json
from doublevm.cli import options as o  # noqa: TC001 - likewise
from doublevm.cli.failing import USAGE, fail
from doublevm.cli.render import LONGEST_ARGUMENT, PIPE_WIDTH, visible
from doublevm.errors import ConfigError
from doublevm.host.policy_file.values import Policy
from doublevm.host.sinks.replaying import replay as replayed
from doublevm.policy import DoubleVM
from doublevm.verdict import Allow

if TYPE_CHECKING:
    from doublevm.host.sinks.replaying import Change, Example, Replay
    from doublevm.verdict import Verdict

CHANGED = 1
EPILOG: Final = (
    "Exit status: 0 nothing would change, 1 something would, 2 wrong usage, or no such trail."
)

_KINDS: Final = {
    "denied": ("newly denied", "red"),
    "allowed": ("newly allowed", "green"),
    "otherwise": ("otherwise", "yellow"),
}


def replay(
    trail: Annotated[Path, typer.Argument(help="The trail's file, of either kind.")],
    *,
    policy: Annotated[
        Path, typer.Option(metavar="FILE", help="The policy file (TOML) to judge by.")
    ],
    examples: Annotated[
        int, typer.Option(help="Operations to show of each change: the first ones.", min=0)
    ] = 3,
    json: o.Json = False,
) -> None:
    """Judge recorded operations by another policy, and show what would change.

    Nothing is run: the operations are judged at their recorded times, each conversation with a
    history of its own. Budgets are judged anew if the policy says a level or max_tool_calls.

    Try it: `doublevm audit replay trail.sqlite --policy policy.toml`
    """
    try:
        kept = Policy.read(policy)
        found = replayed(
            trail,
            kept.double_vm or DoubleVM(),
            max_tool_calls=_budget(kept),
            examples=examples,
        )
    except (ConfigError, ValueError) as error:
        fail(f"error: {error}", USAGE)
    if json:
        sys.stdout.write(json_text.dumps(_as_json(found), indent=2) + "\n")
    else:
        _show(found)
    raise typer.Exit(CHANGED if found.changes else 0)


def _budget(policy: Policy) -> int | None:
    """Return the budget of runs, if the policy says one."""
    said = policy.limits.max_tool_calls if policy.limits is not None else None
    if said is None and policy.security_level is not None:
        said = policy.security_level.settings.limits.max_tool_calls
    return said


def _as_json(found: Replay) -> dict[str, Any]:
    counts = {**asdict(found), "exact": found.exact}
    return {**counts, "changes": [_change_as_json(change) for change in found.changes]}


def _change_as_json(change: Change) -> dict[str, Any]:
    examples = [
        {
            **{name: getattr(each, name) for name in each.__slots__},
            "before": verdict_as_json(each.before),
            "after": verdict_as_json(each.after),
        }
        for each in change.examples
    ]
    fields = {name: getattr(change, name) for name in change.__slots__}
    return {**fields, "examples": examples}


def _show(found: Replay) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    _say(console, _total(found))
    if found.changes:
        console.print(_table(found))
    for change in found.changes:
        _examples(console, change)
    for line in _notes(found):
        _say(console, line)


def _say(console: Console, line: str) -> None:
    console.print(Text(visible(line)))


def _total(found: Replay) -> str:
    sums = dict.fromkeys(_KINDS, 0)
    for change in found.changes:
        sums[change.kind] += change.count
    judged = f"{found.operations:,} operations of {found.conversations:,} conversations: "
    if not found.changes:
        return f"{judged}nothing would change."
    parts = [f"{count:,} {_KINDS[kind][0]}" for kind, count in sums.items() if count]
    return f"{judged}{', '.join(parts)}."


def _table(found: Replay) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "the trail says", "the policy says", "operations"):
        table.add_column(name, justify="right" if name == "operations" else "left")
    for change in found.changes:
        name, style = _KINDS[change.kind]
        table.add_row(
            Text(name, style=style),
            Text(visible(_named(change.before))),
            Text(visible(_named(change.after))),
            f"{change.count:,}",
        )
    return table


def _named(label: str) -> str:
    if label == "allow":
        return "allowed"
    would, _, address = label.rpartition(" ")
    return f"would be denied [{address}]" if would else f"denied [{address}]"


def _examples(console: Console, change: Change) -> None:
    if not change.examples:
        return
    name, style = _KINDS[change.kind]
    heading = f"── {name}: {_named(change.before)} → {_named(change.after)} "
    console.print(Text(visible(heading), style=f"bold {style}"))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("time (UTC)", "conversation", "run", "operation", "arguments", "reason"):
        table.add_column(column, justify="right" if column == "run" else "left")
    for each in change.examples:
        table.add_row(*(Text(visible(cell)) for cell in _cells(each)))
    console.print(table)


def _cells(example: Example) -> tuple[str, ...]:
    arguments = example.arguments
    if not isinstance(arguments, str):
        arguments = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    if len(arguments) > LONGEST_ARGUMENT:
        arguments = f"{arguments[: LONGEST_ARGUMENT - 1]}…"
    reason = _reason(example.after) or _reason(example.before)
    when = _time(example.time)
    return when, example.enclave, str(example.run), example.operation, arguments, reason


def _reason(verdict: Verdict) -> str:
    return "" if isinstance(verdict, Allow) else verdict.reason


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):  # no time that a host wrote
        return str(seconds)


def _notes(found: Replay) -> list[str]:
    notes = []
    if found.kept:
        kept = ", ".join(f"{address} {count:,}" for address, count in found.kept.items())
        notes.append(f"Taken over, as this policy does not decide on them: {kept}.")
    if found.held:
        notes.append(f"{found.held:,} would be held back for a while.")
    if found.redacted:
        notes.append(f"{found.redacted:,} could not be judged exactly: parts were redacted.")
    if found.missing:
        notes.append(f"{found.missing:,} records are missing; what follows them may differ.")
    if found.set_back:
        notes.append(f"The clock was set back {found.set_back:,} times; what follows may differ.")
    return notes
