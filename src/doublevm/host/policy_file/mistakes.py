"""What is wrong in a policy's tables, each with the path to it.

First come names and types, which the annotations of the dataclasses say; then values, which the
dataclasses are asked about: each option alone, so that one that is wrong does not hide another.
"""

from __future__ import annotations

import difflib
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any, Final

from doublevm.errors import ConfigError
from doublevm.host.policy_file.kinds import (
    Either,
    Function,
    Kind,
    Option,
    Section,
    misfits,
    options_of,
    sayable,
)
from doublevm.host.policy_file.spelling import dotted, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from doublevm.host.policy_file.lines import Path

Mistake = tuple["Path", str]
"""Where, and what, with the name of the option in it."""

_IN_PYTHON: Final = (
    "is or contains a function, which no file can say; give it in Python, with "
    "dataclasses.replace(Policy.read(...), ...)"
)


def mistakes(section: type, table: dict[str, Any], root: type) -> Iterator[Mistake]:
    """Yield everything that is wrong in the table of a dataclass; ``root`` is that of the file."""
    found = list(_misfits(section, table, (), root))
    yield from found
    yield from _refused(section, table, (), {path for path, _ in found})


def section_of(kind: Kind, value: Any) -> type | None:
    """Return the dataclass whose options a value has, if it has some."""
    if not isinstance(value, dict):
        return None
    kinds = kind.kinds if isinstance(kind, Either) else (kind,)
    return next((each.of for each in kinds if isinstance(each, Section)), None)


# ── names and types ───────────────────────────────────────────────────────────────────────


def _misfits(section: type, table: dict[str, Any], path: Path, root: type) -> Iterator[Mistake]:
    known = options_of(section)
    for name, value in table.items():
        here = (*path, name)
        if name not in known:
            yield here, _unknown(section, name, path, root)
        elif isinstance(known[name].kind, Function):
            yield here, f"{dotted(here)} {_IN_PYTHON}"
        else:
            yield from _misfit(known[name], value, here, root)
    for name in _needed(section):
        if name not in table:
            yield path, f"{dotted(path)} needs {name}"


def _misfit(option: Option, value: Any, path: Path, root: type) -> Iterator[Mistake]:
    for place, right in misfits(value, option.kind, path):
        found = "" if option.secret else f", not {shown(_at(value, place[len(path) :]))}"
        yield place, f"{dotted(place)} must be {right}{found}"
    if inner := section_of(option.kind, value):
        yield from _misfits(inner, value, path, root)


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _needed(section: type) -> list[str]:
    return [name for name, each in options_of(section).items() if each.default is MISSING]


def _unknown(section: type, name: str, path: Path, root: type) -> str:
    known = sayable(section)
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    if not near and (homes := list(_homes(root, name, ()))):
        hint = f"; it belongs in {' or '.join(f'[{dotted(home)}]' for home in homes)}."
    where = f"[{dotted(path)}] has" if path else "a policy has"
    return f"{where} no option {dotted((name,))}{hint or '.'} There are: {', '.join(known)}"


def _homes(section: type, name: str, path: Path) -> Iterator[Path]:
    """Yield the tables that have an option of this name."""
    if name in sayable(section):
        yield path
    for each in sayable(section).values():
        if inner := section_of(each.kind, {}):
            yield from _homes(inner, name, (*path, each.name))


# ── values ────────────────────────────────────────────────────────────────────────────────


def _refused(
    section: type, table: dict[str, Any], path: Path, wrong: Collection[Path]
) -> Iterator[Mistake]:
    """Ask about every value that is of the right type, those that the dataclass needs first."""
    base: dict[str, Any] = {}
    known, needed = options_of(section), _needed(section)
    for name in sorted(table, key=lambda name: name not in needed):
        here, value = (*path, name), table[name]
        if name in known and (inner := section_of(known[name].kind, value)):
            if here not in wrong:
                yield from _refused(inner, value, here, wrong)
            continue
        told = any(other[: len(here)] == here for other in wrong)
        refused = [] if told else list(_culprits(section, base, here, value))
        yield from refused
        if name in needed:
            if told or refused:
                return  # without it, nothing can be asked
            base[name] = value


def _culprits(section: type, base: dict[str, Any], path: Path, value: Any) -> Iterator[Mistake]:
    """Yield the items that are refused for themselves or, if none is, the whole value."""
    whole = _refusal(section, base, path, value)
    if whole is None:
        return
    alone = []
    for part, one in _each_alone(value):
        if refusal := _refusal(section, base, path, one):
            # In a list of its own, every item is the first.
            first, own = f"{path[-1]}[0]", f"{path[-1]}[{part}]"
            alone.append(((*path, part), refusal.replace(first, own)))
    yield from alone or [(path, whole)]


def _each_alone(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, list):
        return [(number, [item]) for number, item in enumerate(value)]
    if isinstance(value, dict):
        return [(name, {name: item}) for name, item in value.items()]
    return []


def _refusal(section: type, base: dict[str, Any], path: Path, value: Any) -> str | None:
    try:
        section(**base, **{str(path[-1]): value})
    except ConfigError as error:
        return told(error, path[:-1])
    return None


def told(error: ConfigError, path: Path) -> str:
    """Return what the dataclass of a table says, with the table's whole path for its short one."""
    message, above = str(error), path[:-1]
    return f"{dotted(above)}.{message}" if above and message.startswith(f"{path[-1]}.") else message
