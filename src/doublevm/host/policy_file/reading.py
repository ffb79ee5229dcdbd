"""A policy file read: what it says as options, or every mistake with its line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from doublevm.errors import ConfigError
from doublevm.host.policy_file.kinds import options_of
from doublevm.host.policy_file.mistakes import mistakes, section_of, told
from doublevm.host.policy_file.text import MalformedError, read
from doublevm.host.policy_file.values import Policy

if TYPE_CHECKING:
    from doublevm.host.policy_file.lines import Path

_IF_NOT_EMPTY: Final = ("limits", "double_vm", "guard")
"""Tables that say nothing when nothing is in them; an empty ``[scoring_gate]`` is a gate."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a policy file."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Examined:
    """A policy file that could be read."""

    name: str
    lines: dict[Path, int]
    """Where its tables, keys and items are."""
    problems: tuple[Problem, ...]
    """In the order of their lines."""
    policy: Policy
    """What it says; nothing if there are problems."""


def read_policy(path: str | os.PathLike[str]) -> Policy:
    """Return what a file says.

    Raises:
        ConfigError: the file cannot be read, or is wrong; a line of the message for each mistake.
    """
    examined = examine(path)
    if examined.problems:
        lines = (f"{examined.name}:{each.line}: {each.message}" for each in examined.problems)
        raise ConfigError("\n".join(lines))
    return examined.policy


def examine(path: str | os.PathLike[str]) -> Examined:
    """Read a file and look for everything that is wrong in it.

    Raises:
        ConfigError: it cannot be read, or is too large.
    """
    name = os.fspath(path)
    try:
        table, lines = read(path)
    except MalformedError as error:
        return Examined(name, {}, (Problem(error.line, str(error)),), Policy())
    found = list(mistakes(Policy, table, Policy))
    policy = Policy()
    if not found:
        try:
            policy = _made(Policy, _without_empty(table), ())
        except _Refused as refused:
            found.append((refused.path, str(refused)))
    # All but the file as a whole is on some line.
    problems = [Problem(lines.get(where, 1), message) for where, message in found]
    return Examined(name, lines, tuple(sorted(problems, key=lambda each: each.line)), policy)


class _Refused(Exception):  # noqa: N818 - what has happened
    """Every option of a table is fine, but not all of them together."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


def _made(section: type, table: dict[str, Any], path: Path) -> Any:
    kinds = options_of(section)
    options = {
        name: _made(inner, value, (*path, name))
        if (inner := section_of(kinds[name].kind, value))
        else value
        for name, value in table.items()
    }
    try:
        return section(**options)
    except ConfigError as error:
        raise _Refused(path, told(error, path)) from None


def _without_empty(table: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in table.items()
        if name not in _IF_NOT_EMPTY or _says_something(value)
    }


def _says_something(value: Any) -> bool:
    return any(map(_says_something, value.values())) if isinstance(value, dict) else True
