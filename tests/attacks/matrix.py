"""Writes docs/security/attack-matrix.md from the corpus: which attacks are tried, on what.

``make matrix`` calls it; a test compares the page with the corpus.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if __name__ == "__main__":  # a script sees its own folder only
    import sys

    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.attacks.escape_cases import ENGINES, ESCAPES, TWINS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.attacks.escape_cases import Escape, Kind

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "security" / "attack-matrix.md"
PROBES: Final = Path(__file__).parent / "probes"

CANARIES: Final[dict[Kind, str]] = {
    "file": "the contents of a file that everybody may read",
    "write": "a file that it made where everybody may",
    "environment": "a variable of the host's environment",
    "command": "a program that it ran",
    "connection": "a connection to a TCP or unix socket that listens",
    "host": "what a handler holds, or an operation that is blocked",
    "signal": "a signal to the host's process",
}
"""What reaching each kind of canary means."""

_HEAD: Final = """\
# Attack matrix

<!-- Made by `make matrix` from tests/attacks; changes here are lost. -->

Programs that are known to break out of one Python sandbox or another, and what they try to reach.
The tests run each on every engine it makes sense on, inside of a container that is thrown away
afterwards. It must reach nothing: not what it is after, nor any other canary. As its control it is
run in an ordinary Python process there, and does reach what it is after.
"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD, _escapes(), _canaries(), _sources(), _probes()]
    return "\n".join(part for part in parts if part)


def _escapes() -> str:
    families = sorted({escape.family for escape in ESCAPES})
    rows = [_row(family, [e for e in ESCAPES if e.family == family]) for family in families]
    rows.append(_row("**all**", ESCAPES))
    head = ("family", "programs", *ENGINES, "controls", "harmless twins")
    return f"## Escapes from Python\n\n{_table(head, rows)}"


def _row(family: str, escapes: Iterable[Escape]) -> tuple[object, ...]:
    cases = list(escapes)
    names = {case.family for case in cases}
    on = (sum(engine in case.engines for case in cases) for engine in ENGINES)
    twins = sum(twin.family in names for twin in TWINS)
    controls = sum(case.control for case in cases)
    return (_title(family), len(cases), *on, controls, twins)


def _canaries() -> str:
    counts = Counter(escape.canary for escape in ESCAPES)
    rows = [(kind, means, counts[kind]) for kind, means in CANARIES.items()]
    assert counts.keys() <= CANARIES.keys()
    return f"## What they are after\n\n{_table(('canary', 'reached by', 'programs'), rows)}"


def _sources() -> str:
    counts = Counter(escape.source.partition(":")[0] for escape in ESCAPES)
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return f"## Where they are known from\n\n{_table(('source', 'programs'), rows)}"


def _probes() -> str:
    """Return the table of native probes, if there are any."""
    probes = list(_load_probes())
    if not probes:
        return ""
    mechanisms = sorted({name for _, probe in probes for name in probe.get("stopped_by", ())})
    rows = [
        _probe_row(_title(family), [probe for of, probe in probes if of == family], mechanisms)
        for family in sorted({family for family, _ in probes})
    ]
    rows.append(_probe_row("**all**", [probe for _, probe in probes], mechanisms))
    head = ("family", "probes", *(f"{name} alone" for name in mechanisms), "controls")
    text = (
        "## Native probes\n\nNative code that calls the kernel by number, in a VM's process. With "
        "the whole seal, none of\nthem gets through but for those whose case says why. "
        "The columns count those that one mechanism\nstops without the others.\n\n"
    )
    return text + _table(head, rows)


def _load_probes() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(PROBES.glob("*.toml")):
        for probe in tomllib.loads(path.read_text(encoding="utf-8"))["probe"]:
            yield path.stem, probe


def _probe_row(
    family: str, probes: list[dict[str, Any]], mechanisms: list[str]
) -> tuple[object, ...]:
    alone = (sum(name in probe.get("stopped_by", ()) for probe in probes) for name in mechanisms)
    # A probe's "control" is the reason for having none.
    return (family, len(probes), *alone, sum(not probe.get("control") for probe in probes))


def _title(family: str) -> str:
    return family.replace("_", " ")


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
