"""Shared by the tests of the built-in patterns: cases in which one pattern alone objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.barriers.cases import ALLOWED, Denial, Harmless, Setting, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

IDS: Final = (
    "EXFIL_LIST_SEND",
    "RAPID_ENUMERATION",
    "CREDENTIAL_EXFIL",
    "BULK_OPERATION",
    "DELETE_AFTER_ACCESS",
)


def listed(text: str) -> list[str]:
    """Split a table of words written as plain text."""
    return text.split()


READS: Final = listed(
    "list query get fetch read search find select load lookup retrieve download scan browse"
)

OFF: Final = {"disabled_patterns": IDS}


def only(pattern: str, **options: Any) -> Setting:
    """All other patterns are switched off, so that none of them can answer in its place."""
    others = tuple(each for each in IDS if each != pattern)
    return Setting(options={"disabled_patterns": others, **options})


def steps(*names: str | tuple[str, float], expect: str = ALLOWED) -> list[Step]:
    """Write operations as names, or as names and times; the last one has this answer."""
    made = [Step(name) if isinstance(name, str) else Step(name[0], at=name[1]) for name in names]
    return [*made[:-1], Step(made[-1].name, at=made[-1].at, expect=expect)]


def pairs(pattern: str, table: Sequence[tuple[str, str, str]]) -> tuple[Denial, ...]:
    """Cases of two operations. A row: the first one, the one denied then, and one that is not."""
    return tuple(
        Denial(
            id=f"{first}-{then}",
            on=only(pattern),
            steps=steps(first, then, expect=f"sequence/{pattern}"),
            off=OFF,
            twin=steps(first, twin),
        )
        for first, then, twin in table
    )


def words(pattern: str, first: Sequence[str], then: Sequence[str], twin: str) -> tuple[Denial, ...]:
    """Every word of the two tables: each first one before one second, and the other way round."""
    table = [(f"x:{word}", f"y:{then[0]}", twin) for word in first]
    table += [(f"x:{first[0]}", f"y:{word}", twin) for word in then[1:]]
    return pairs(pattern, table)


def windows(pattern: str, first: str, then: str) -> tuple[Denial, ...]:
    """The edges of the window: the default one of 60 s, one of 2 s, and one below a second."""
    return tuple(
        Denial(
            id=f"window-{seconds}",
            on=only(pattern, **options),
            steps=steps((first, 0.0), (then, seconds - 1 / 64), expect=f"sequence/{pattern}"),
            off=OFF,
            twin=steps((first, 0.0), (then, seconds)),
        )
        for seconds, options in (
            (60.0, {}),
            (2.0, {"sequence_window": 2.0}),
            (0.5, {"sequence_window": 0.5}),
        )
    )


def harmless_orders(pattern: str, first: str, then: str) -> tuple[Harmless, ...]:
    """The second operation alone, before the first, or long after it."""
    setting = only(pattern)
    return (
        Harmless("alone", steps(then), setting),
        Harmless("in-the-other-order", steps(then, first), setting),
        Harmless("long-after", steps((first, 0.0), (then, 3600.0)), setting),
    )
