"""The doctor's findings, as tables for people and as JSON for scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from doublevm.cli.doctor import ENGINES
from doublevm.cli.doctor_advice import FATAL_UID, LEAVES_OPEN, remedy
from doublevm.cli.render import PIPE_WIDTH
from doublevm.confinement import MECHANISMS
from doublevm.levels import SecurityLevel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.cli.doctor import Diagnosis, Verdict

OWN_UID: Final = "own uid"
_OWN_UID_DOES: Final = "each VM has a user id that no other process has"
_STYLES: Final = {"accepted": "green", "warning": "yellow", "refused": "red"}


def findings(diagnosis: Diagnosis) -> Iterator[dict[str, Any]]:
    """Yield one object for each mechanism, and one for the uid."""
    missing = diagnosis.confinement.missing
    for name, does in MECHANISMS.items():
        yield _finding(diagnosis, name, does, missing.get(name))
    uid = diagnosis.own_uid
    found = _finding(diagnosis, OWN_UID, _OWN_UID_DOES, None if uid.given else uid.reason)
    if uid.fatal:
        found |= {"leaves_open": "No VM can be started.", "remedy": FATAL_UID}
    yield found


def _finding(diagnosis: Diagnosis, name: str, does: str, reason: str | None) -> dict[str, Any]:
    there = reason is None
    return {
        "name": name,
        "in_force": there,
        "does": does,
        "reason": reason,
        "leaves_open": None if there else LEAVES_OPEN[name],
        "remedy": None if there else remedy(name, diagnosis.system),
    }


def as_json(diagnosis: Diagnosis) -> str:
    """Return everything as one JSON object and a newline."""
    report = {
        "healthy": diagnosis.healthy,
        "rung": diagnosis.confinement.rung.label,
        "mechanisms": list(findings(diagnosis)),
        "engines": {"monty": diagnosis.monty, "cpython": diagnosis.python},
        "levels": {
            level.name: {engine: _plain(diagnosis.verdict(level, engine)) for engine in ENGINES}
            for level in SecurityLevel
        },
        "system": diagnosis.system,
        "kernel": diagnosis.kernel,
        "machine": diagnosis.machine,
    }
    return json.dumps(report, indent=2) + "\n"


def _plain(verdict: Verdict) -> dict[str, str]:
    return {"answer": verdict.answer, "reason": verdict.reason}


def show(diagnosis: Diagnosis) -> None:
    """Print everything for people."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    _heading(console, "this machine")
    machine = (diagnosis.system, diagnosis.kernel, diagnosis.machine)
    console.print(Text(f"{' '.join(machine)} · {diagnosis.python}"))
    monty = diagnosis.monty or "not installed: reinstall doublevm with its dependencies"
    console.print(Text(f"monty worker: {monty}"), soft_wrap=True)
    _heading(console, f"confinement: {diagnosis.confinement.rung.label}")
    console.print(_mechanisms(diagnosis))
    _heading(console, "security levels")
    console.print(_levels(diagnosis))


def _heading(console: Console, text: str) -> None:
    console.print(Text(f"── {text} ", style="bold cyan"))


def _mechanisms(diagnosis: Diagnosis) -> Table:
    table = _table("mechanism", "in force", "")
    for found in findings(diagnosis):
        there = found["in_force"]
        mark = Text("yes", style="green") if there else Text("no", style="red")
        table.add_row(Text(found["name"]), mark, Text(found["does"] if there else found["reason"]))
        if not there:
            for label in ("leaves_open", "remedy"):
                table.add_row("", "", Text(f"{_LABELS[label]} {found[label]}", style="dim"))
    return table


_LABELS: Final = {"leaves_open": "Leaves open:", "remedy": "To do:"}


def _levels(diagnosis: Diagnosis) -> Table:
    table = _table("level", *ENGINES, "")
    for level in SecurityLevel:
        verdicts = [diagnosis.verdict(level, engine) for engine in ENGINES]
        answers = (Text(each.answer, style=_STYLES[each.answer]) for each in verdicts)
        # The engines mostly share a reason; each is said once.
        reasons = dict.fromkeys(each.reason for each in verdicts if each.reason)
        table.add_row(Text(level.name), *answers, Text("\n".join(reasons), style="dim"))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(name)
    return table
