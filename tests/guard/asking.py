"""Asks one rule about one program, as the parent VM does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doublevm import Guard
from doublevm.engines.reading.imports import MODULES
from doublevm.guard.program import Surroundings
from doublevm.guard.reading import Reading, read
from doublevm.guard_options import ACTIONS, MAX_NESTING, MAX_NODES
from doublevm.host.guarding import guarding
from doublevm.levels import SecurityLevel

if TYPE_CHECKING:
    from doublevm import Finding

Found = tuple[int, int, str, str]
"""Line, column, message, suggestion."""


def around(*tools: str, **options: Any) -> Surroundings:
    roots = frozenset(name.replace(":", ".").partition(".")[0] for name in tools)
    return Surroundings(**{"tools": tools, "roots": roots, "modules": MODULES, **options})


def reading(
    source: str,
    guard: Guard | None = None,
    surroundings: Surroundings | None = None,
    level: SecurityLevel = SecurityLevel.SECURE,
) -> Reading:
    frame = guarding(guard or Guard(), level, "cpython", (), str)
    return read(source, frame, surroundings or around())


def findings(rule: str, source: str, surroundings: Surroundings | None = None) -> list[Finding]:
    """Return what a rule finds, with every other rule left out and no size limited."""
    options: dict[str, Any] = dict.fromkeys(ACTIONS, "allow") | {rule: "refuse"}
    sizes = ("max_source_bytes", "max_line_length", "max_literal_bytes")
    options |= dict.fromkeys(sizes, 2**30)
    guard = Guard(**options, max_nesting=MAX_NESTING, max_nodes=MAX_NODES)
    return reading(source, guard, surroundings).refusing


def asked(rule: str, source: str, surroundings: Surroundings | None = None) -> list[Found]:
    found = findings(rule, source, surroundings)
    assert {finding.rule for finding in found} <= {rule}
    return [(each.line, each.column, each.message, each.suggestion) for each in found]


def by_level(source: str) -> dict[str, str]:
    """Return what becomes of a program at each level."""
    return {level.name: _treated(reading(source, level=level)) for level in SecurityLevel}


def _treated(read: Reading) -> str:
    if read.refusing:
        return "refuse"
    return "warn" if read.warning else "allow"
