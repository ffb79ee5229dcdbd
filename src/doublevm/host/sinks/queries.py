"""What is asked of an SQLite trail: the query for a filter, and the index that answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3

    from doublevm.host.sinks.filtering import Filter

MOST_NAMES: Final = 100
"""Names that fit a pattern and are asked for one by one, by their index. Names of operations are
few, unless a guest makes them up; then all operations are looked at."""

MANY_RUNS: Final = 10
"""Runs of a conversation from which on a run is rarer than a name."""

_LAST: Final = chr(0x10FFFF)
"""Behind every other character."""

_OUTCOME: Final = """(
    SELECT o.entry FROM links o WHERE o.kind = 'outcome'
    AND (o.enclave, o.run, o.number) = (a.enclave, a.run, a.number) LIMIT 1
)"""
_JOINED: Final = """
SELECT a.time, a.seq, a.entry, {outcome} FROM links a {hint} WHERE a.kind = 'attempt'"""
_ENDING: Final = f"{_OUTCOME} ->> '$.outcome'"

# Each name is found behind the one before it: a step of the index a name, not a row.
_NAMES: Final = """
WITH RECURSIVE names(name) AS (
    SELECT min(operation) FROM links INDEXED BY by_operation WHERE kind = 'attempt'
    UNION ALL
    SELECT (
        SELECT min(operation) FROM links INDEXED BY by_operation
        WHERE kind = 'attempt' AND operation > name
    ) FROM names WHERE name IS NOT NULL
)
SELECT name FROM names WHERE name IS NOT NULL AND fits_name(name) LIMIT ?"""


def query(
    wanted: Filter, *, name: str | None = None, last: int | None = None
) -> tuple[str, list[Any]]:
    """Return a query for times, places, attempts and outcomes, with its values.

    Args:
        wanted: which operations.
        name: the one name of an operation to be asked for, instead of ``wanted.operation``.
        last: only so many, the newest first; None: all, the oldest first.
    """
    if name is None and not wanted.is_pattern:
        name = wanted.operation
    hint = f"INDEXED BY {_index(wanted, name)}" if wanted.seq is None else ""
    text = _JOINED.format(outcome=_OUTCOME, hint=hint)
    conditions: list[tuple[str, Any]] = [
        ("a.seq = ?", wanted.seq),
        ("a.time >= ?", wanted.since),
        ("a.time < ?", wanted.until),
        ("a.enclave >= ?", wanted.enclave),
        ("a.enclave < ?", None if wanted.enclave is None else wanted.enclave + _LAST),
        ("a.run = ?", wanted.run),
        ("a.operation = ?", name),
        ("a.rule = ?", wanted.rule),
    ]
    if wanted.outcome not in (None, "denied", "unknown"):
        conditions.append((f"{_ENDING} = ?", wanted.outcome))
    values = []
    for condition, value in conditions:
        if value is not None:
            text += f" AND {condition}"
            values.append(value)
    text += "".join(f" AND {condition}" for condition in _fixed(wanted, name))
    # A run is small, and its index has no times: all others give their rows in this order.
    way = "ASC" if last is None else "DESC"
    text += f" ORDER BY a.time {way}, a.seq {way}"
    return (text, values) if last is None else (f"{text} LIMIT ?", [*values, last])


def _fixed(wanted: Filter, name: str | None) -> list[str]:
    conditions = []
    if _is_denied(wanted):
        conditions.append("a.rule IS NOT NULL AND a.passed = 0")
    if wanted.verdict == "would_deny":
        conditions.append("a.rule IS NOT NULL AND a.passed = 1")
    if wanted.verdict == "allow":
        conditions.append("a.rule IS NULL")
    if wanted.allowed or wanted.outcome == "unknown":
        conditions.append("(a.rule IS NULL OR a.passed = 1)")
    if wanted.outcome in ("denied", "unknown"):
        conditions.append(f"{_OUTCOME} IS NULL")
    if name is None and wanted.is_pattern:
        conditions.append("fits_name(a.operation)")
    if wanted.seq is None and _index(wanted, name) == "by_run":
        conditions.append("a.run > 1")  # as the index says, for SQLite to see it
    return conditions


def _is_objected(wanted: Filter) -> bool:
    return wanted.verdict == "would_deny" or _is_denied(wanted)


def _is_denied(wanted: Filter) -> bool:
    return wanted.allowed is False or wanted.verdict == "deny" or wanted.outcome == "denied"


def _index(wanted: Filter, name: str | None) -> str:
    """Return the index that leaves the fewest rows to look at; all but the first are in order.

    SQLite would have to guess: nothing counts the rows of a trail.
    """
    if wanted.enclave is not None:
        return "by_number"
    is_late = wanted.run is not None and wanted.run > MANY_RUNS
    if wanted.rule is not None and not is_late:
        return "by_rule" if name is None else "by_rule_of_operation"
    if _is_objected(wanted) and not is_late:
        return "by_objection" if name is None else "by_objected_operation"
    # Of two that are given, the higher a run's number, the fewer conversations have come to it.
    if is_late or (wanted.run is not None and wanted.run > 1 and name is None):
        return "by_run"
    return "by_time" if name is None else "by_operation"


def names(connection: sqlite3.Connection, wanted: Filter) -> list[str] | None:
    """Return the names to be asked for one by one; None if all are asked for at once.

    That takes a pattern, and no other index that leaves less to look at.
    """
    if not wanted.is_pattern or wanted.seq is not None:
        return None
    connection.create_function("fits_name", 1, wanted.fits_name, deterministic=True)
    if wanted.enclave is not None or wanted.rule is not None:
        return None
    found = [name for (name,) in connection.execute(_NAMES, (MOST_NAMES + 1,))]
    return found if len(found) <= MOST_NAMES else None
