"""The results as tables, for the terminal and for a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.contenders import label
from benchmarks.scenarios import JUDGED, SCENARIOS
from benchmarks.targets import outcomes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.harness import Samples
    from benchmarks.scenarios import Scenario
    from benchmarks.targets import Outcome

GROUPS: Final = {
    "start": "Starting",
    "calls": "Tool calls, there and back",
    "payloads": "Tool calls with a text there and back",
    "cpu": "Computing in the guest, one turn",
    "memory": "Memory of a guest that is alive",
    "crowds": "Runs with 100 calls, in many at once: the time of all over their number",
    "judging": "Judging, by what the history remembers",
    "shares": "CPU time of one call, by process",
}

_NOTHING: Final = "–"

Rows = list[list[str]]


def amount(value: float | None, unit: str) -> str:
    """Return a time or a size in the unit that suits it."""
    if value is None:
        return _NOTHING
    if unit == "B":
        return f"{value / 1e6:.1f} MB"
    for factor, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= factor:
            return f"{_figures(value / factor)} {name}"
    return f"{value * 1e6:.2f} µs"


def times(value: float | None) -> str:
    """Return a ratio."""
    return _NOTHING if value is None else f"{_figures(value)}×"


def _figures(value: float) -> str:
    """Return some three figures of a number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004


def target_rows(found: Mapping[str, Samples]) -> Rows:
    """Return the targets, beside what was measured."""
    rows = [["", "to reach", "measured", "of what the floor allows", ""]]
    words = {True: "reached", False: "not reached", None: "not measured"}
    return rows + [
        [
            each.target.what,
            each.target.text,
            _measured(each),
            _NOTHING if each.of_allowed is None else f"{each.of_allowed:.2f}×",
            words[each.reached],
        ]
        for each in outcomes(found)
    ]


def _measured(outcome: Outcome) -> str:
    if outcome.target.count and outcome.measured:
        return f"{1 / outcome.measured:,.0f} a second"
    return amount(outcome.measured, outcome.unit)


@dataclass(frozen=True)
class Group:
    """What was measured of one kind, as two tables of the same rows."""

    title: str
    ratios: Rows
    medians: Rows
    notes: list[str]


def groups(found: Mapping[str, Samples]) -> Iterator[Group]:
    """Yield each group of which something was measured."""
    for group, title in GROUPS.items():
        scenarios = [
            each for each in (*SCENARIOS, JUDGED) if each.group == group and each.name in found
        ]
        if scenarios:
            yield _group(title, scenarios, found)


def _group(title: str, scenarios: Sequence[Scenario], found: Mapping[str, Samples]) -> Group:
    head = ["", *(each.title for each in scenarios)]
    made = Group(title, [head], [head], [])
    floors = [each.floor for each in scenarios]
    for name in dict.fromkeys([*floors, *(name for each in scenarios for name in each.contenders)]):
        samples = [found[each.name] for each in scenarios]
        marks = [_note(each.missing.get(name), made.notes) for each in samples]
        medians = [amount(each.median(name), each.unit) for each in samples]
        ratios = [times(each.ratio(name)) for each in samples]
        if set(medians) != {_NOTHING} or any(marks):
            cells = [f"{cell}{mark}" for cell, mark in zip(ratios, marks, strict=True)]
            made.ratios.append([label(name), *cells])
            made.medians.append([label(name), *medians])
    return made


def _note(reason: str | None, notes: list[str]) -> str:
    """Return the mark of a footnote, which is added if it is new."""
    if reason is None:
        return ""
    if reason not in notes:
        notes.append(reason)
    return f" [{notes.index(reason) + 1}]"


def plain(rows: Rows) -> str:
    """Return a table for a terminal: columns as wide as what is in them."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def markdown(rows: Rows) -> str:
    """Return a table for a page."""
    head, *body = rows
    lines = [head, ["---", *("---:" for _ in head[1:])], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(found: Mapping[str, Samples]) -> str:
    """Return all tables, for a terminal."""
    parts = ["What it must cost", plain(target_rows(found))] if outcomes(found) else []
    for each in groups(found):
        parts += ["", f"{each.title}: ratios", plain(each.ratios), "", plain(each.medians)]
        parts += [f"[{number}] {note}" for number, note in enumerate(each.notes, 1)]
    return "\n".join(parts) + "\n"
