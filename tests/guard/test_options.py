"""The settings of the guard: checked at construction, and completed by the level's."""

from __future__ import annotations

import itertools
from dataclasses import fields
from typing import Any

import pytest

from doublevm import ConfigError, Guard, GuardRule
from doublevm.guard_options import ACTIONS, COUNTS
from doublevm.levels import SecurityLevel


def fine(source: str, tree: Any) -> list[Any]:
    return []


async def waits(source: str, tree: Any) -> list[Any]:
    return []


def of_one(source: str) -> list[Any]:
    return []


MINE = GuardRule(id="MINE", check=fine)

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "text as a number": (
        {"max_nodes": "5"},
        "guard.max_nodes must be an int of 1 to 500,000, not '5'",
    ),
    "a bool as a number": ({"max_nodes": True}, "guard.max_nodes must be an int of 1 to 500,000"),
    "nothing allowed": ({"max_line_length": 0}, "guard.max_line_length must be an int of 1 to 9,0"),
    "deeper than engines go": (
        {"max_nesting": 201},
        "guard.max_nesting must be an int of 1 to 200, not 201",
    ),
    "another action": (
        {"imports": "deny"},
        "guard.imports must be 'refuse', 'warn' or 'allow', not 'deny'",
    ),
    "a bool as an action": ({"imports": True}, "guard.imports must be 'refuse', 'warn' or 'allow'"),
    "a list as an action": ({"imports": []}, "guard.imports must be 'refuse', 'warn' or 'allow'"),
    "types by number": ({"type_check": 1}, "guard.type_check must be True or False, not 1"),
    "modules as text": (
        {"allowed_modules": "os"},
        "guard.allowed_modules must be a list or tuple, not 'os'",
    ),
    "a module that is none": (
        {"allowed_modules": ["os", "a b"]},
        "guard.allowed_modules must be names of modules, not 'a b'",
    ),
    "a module that is no text": (
        {"allowed_modules": [1]},
        "guard.allowed_modules must be names of modules, not 1",
    ),
    "a rule by itself": ({"rules": MINE}, "guard.rules must be a list or tuple, not GuardRule("),
    "a function as a rule": ({"rules": [fine]}, "guard.rules must be a list of GuardRule(...), n"),
    "two rules of one id": (
        {"rules": [MINE, MINE]},
        "guard.rules: the id 'MINE' is taken; choose another",
    ),
    "a built-in rule's id": (
        {"rules": [GuardRule(id="imports", check=fine)]},
        "guard.rules: the id 'imports' is taken; choose another",
    ),
}

WRONG_RULES: dict[str, tuple[dict[str, Any], str]] = {
    "no id": ({"id": ""}, "guard rule id '' must have 1 to 64 of A-Z a-z 0-9 _ . -"),
    "an id of two lines": ({"id": "A\n"}, "guard rule id 'A\\n' must have 1 to 64"),
    "an id that is no text": ({"id": 5}, "guard rule id 5 must have 1 to 64"),
    "no function": ({"check": None}, "guard rule 'MINE': check must be a function, not None"),
    "an async function": ({"check": waits}, "guard rule 'MINE': check is async; the parent VM has"),
    "a function of one": (
        {"check": of_one},
        "guard rule 'MINE': check must take (source, tree), not (source)",
    ),
    "another action": (
        {"action": "deny"},
        "guard rule 'MINE': action must be 'refuse', 'warn' or 'allow', not 'deny'",
    ),
    "an action of no hash": ({"action": []}, "guard rule 'MINE': action must be 'refuse', 'warn'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_at_once(name: str) -> None:
    options, message = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        Guard(**options)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", WRONG_RULES)
def test_a_wrong_rule_is_refused(name: str) -> None:
    options, message = WRONG_RULES[name]
    with pytest.raises(ConfigError) as caught:
        GuardRule(**{"id": "MINE", "check": fine, **options})
    assert str(caught.value).startswith(message)


def test_lists_become_tuples() -> None:
    guard = Guard(allowed_modules=["math", "os.path"], rules=[MINE])  # type: ignore[arg-type]
    assert (guard.allowed_modules, guard.rules) == (("math", "os.path"), (MINE,))


@pytest.mark.parametrize("level", SecurityLevel, ids=lambda level: level.name)
def test_a_level_sets_all_but_what_has_no_default(level: SecurityLevel) -> None:
    guard = level.settings.guard
    unset = {field.name for field in fields(guard) if getattr(guard, field.name) is None}
    assert unset <= {"allowed_modules", "max_iterations"}
    assert guard.rules == ()


@pytest.mark.parametrize("name", [*COUNTS, *ACTIONS])
def test_what_is_set_wins(name: str) -> None:
    value: Any = 17 if name in COUNTS else "warn"
    own = Guard(**{name: value})
    for level in SecurityLevel:
        complete = own.over(level.settings.guard)
        assert getattr(complete, name) == value
        others = {field.name for field in fields(own)} - {name}
        base = level.settings.guard
        assert all(getattr(complete, other) == getattr(base, other) for other in others)


def test_levels_only_get_stricter() -> None:
    order = ["allow", "warn", "refuse"]
    loosest_first = list(reversed(SecurityLevel))
    for looser, tighter in itertools.pairwise(loosest_first):
        a, b = looser.settings.guard, tighter.settings.guard
        assert all(order.index(getattr(a, n)) <= order.index(getattr(b, n)) for n in ACTIONS)
        counts = [name for name in COUNTS if getattr(a, name) is not None]
        assert all(getattr(a, name) >= getattr(b, name) for name in counts)
