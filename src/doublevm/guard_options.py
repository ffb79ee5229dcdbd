"""The settings of the guard: what a program may contain. Unset fields come from the level."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from doublevm.callables import wrong_function
from doublevm.errors import ConfigError
from doublevm.shapes import brief

if TYPE_CHECKING:
    import ast

    from doublevm.guard.findings import Finding

Action = Literal["refuse", "warn", "allow"]
"""What becomes of a program in which a rule finds something."""

Check = Callable[[str, "ast.Module"], "Iterable[Finding]"]

MAX_NESTING: Final = 200
"""Deepest syntax tree that is run, whatever is configured. Both engines compile by recursion; a
program that is deeper could end their process instead of being refused."""

MAX_FUNCTIONS: Final = 12
"""Most functions that are defined within one another, whatever is configured: monty's compiler
takes twice as long for each, 3 s for 18 of them, in which nothing but the time limit ends it."""

MAX_NODES: Final = 500_000
"""Most nodes of a syntax tree that is run, whatever is configured: reading them takes seconds."""

MOST: Final = 2**53
"""Largest number that is accepted where something is counted: what the wire can carry."""

_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_MODULE: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRule:
    """A rule of your own. Its function runs in the parent VM, for every program.

    Raises:
        ConfigError: the id is not usable, or ``check`` is not a plain function of two arguments.
    """

    id: str
    """Names the rule in findings: letters, digits, ``_ . -``, 64 at most."""
    check: Check
    """``check(source, tree)`` returns the findings, which ``Finding.at`` makes, or yields them. One
    that raises, takes too long, or gives anything else refuses the program."""
    action: Action = "refuse"
    """What becomes of a program in which it finds something."""

    def __post_init__(self) -> None:
        """Check the fields."""
        if not is_id(self.id):
            raise ConfigError(
                f"guard rule id {brief(self.id, 80)} must have 1 to 64 of A-Z a-z 0-9 _ . -"
            )
        wrong = wrong_function("check", self.check, ("source", "tree"))
        if wrong:
            raise ConfigError(f"guard rule {self.id!r}: {wrong}")
        if self.action not in get_args(Action):
            raise ConfigError(
                f"guard rule {self.id!r}: action must be {_ACTIONS}, not {brief(self.action, 80)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What a program may contain. A field left at None takes the security level's value.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    max_source_bytes: int | None = None
    """Bytes (UTF-8) of a program."""
    max_line_length: int | None = None
    """Characters of a line."""
    max_nesting: int | None = None
    """Depth of the syntax tree: 200 at most, and 200 without a guard."""
    max_nodes: int | None = None
    """Nodes of the syntax tree: 500,000 at most, and so many without a guard."""
    max_literal_bytes: int | None = None
    """Bytes of one text, bytes or number that is written out in the program."""
    invisible_characters: Action | None = None
    """Characters that nobody sees, or that reorder what is seen."""
    confusables: Action | None = None
    """Names that look like others: mixed scripts, letters that Python takes for others."""
    imports: Action | None = None
    """Modules that are not on the level's list."""
    allowed_modules: tuple[str, ...] | None = None
    """Modules that may be imported, in place of the level's list; the packages of ``CPython(...)``
    may be in any case."""
    internals: Action | None = None
    """Attributes that lead into the interpreter: classes' bases, frames, code, globals."""
    dynamic_code: Action | None = None
    """``eval``, ``exec``, ``compile``, and imports of a computed name."""
    computed_names: Action | None = None
    """``getattr`` and its like with a computed name; ``globals()``, ``locals()``, ``vars()``."""
    unbounded_loops: Action | None = None
    """Loops that nothing in them ends."""
    reserved_names: Action | None = None
    """Definitions that take the name of a tool, or one that Python or doublevm keeps."""
    unknown_names: Action | None = None
    """Calls of names that nothing defines."""
    type_check: bool | None = None
    """Whether the program is checked against the types of the tools before it runs."""
    max_iterations: int | None = None
    """Iterations of all loops of a run; None for any number. Counted on the cpython engine only."""
    rules: tuple[GuardRule, ...] = ()
    """Rules of your own, asked after the built-in ones, in this order."""

    def __post_init__(self) -> None:
        """Check every field that is set."""
        for name in COUNTS:
            _check_count(name, getattr(self, name), _MOST.get(name, MOST))
        for name in ACTIONS:
            value = getattr(self, name)
            if value is not None and value not in get_args(Action):
                raise _wrong(name, _ACTIONS, value)
        if self.type_check is not None and not isinstance(self.type_check, bool):
            raise _wrong("type_check", "True or False", self.type_check)
        if self.allowed_modules is not None:
            object.__setattr__(self, "allowed_modules", _modules(self.allowed_modules))
        object.__setattr__(self, "rules", _rules(self.rules))

    def over(self, base: Guard) -> Guard:
        """Return these settings with unset fields taken from ``base``."""
        missing: dict[str, Any] = {
            field.name: getattr(base, field.name)
            for field in fields(self)
            if getattr(self, field.name) is None
        }
        return replace(self, **missing)


COUNTS: Final = (
    "max_source_bytes",
    "max_line_length",
    "max_nesting",
    "max_nodes",
    "max_literal_bytes",
    "max_iterations",
)
"""Fields that are numbers."""

ACTIONS: Final = (
    "invisible_characters",
    "confusables",
    "imports",
    "internals",
    "dynamic_code",
    "computed_names",
    "unbounded_loops",
    "reserved_names",
    "unknown_names",
)
"""Fields that are rules, each of which may refuse, warn or be left out."""

_MOST: Final = {"max_nesting": MAX_NESTING, "max_nodes": MAX_NODES}
_ACTIONS: Final = "'refuse', 'warn' or 'allow'"
BUILT_IN_RULES: Final = frozenset((*COUNTS, *ACTIONS, "type_check", "syntax"))
"""Rules that findings may name and rules of one's own may not."""


def is_id(name: object) -> bool:
    """Whether a rule or an analyzer may have this id."""
    return isinstance(name, str) and _ID.match(name) is not None


def _wrong(name: str, right: str, value: object) -> ConfigError:
    return ConfigError(f"guard.{name} must be {right}, not {brief(value, 80)}")


def _check_count(name: str, value: object, most: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise _wrong(name, f"an int of 1 to {most:,}", value)


def _items(name: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise _wrong(name, "a list or tuple", value)
    return tuple(value)


def _modules(value: object) -> tuple[str, ...]:
    modules = _items("allowed_modules", value)
    for name in modules:
        if not isinstance(name, str) or not _MODULE.match(name):
            raise _wrong("allowed_modules", "names of modules", name)
    return modules


def _rules(value: object) -> tuple[GuardRule, ...]:
    rules = _items("rules", value)
    taken = set(BUILT_IN_RULES)
    for rule in rules:
        if not isinstance(rule, GuardRule):
            raise _wrong("rules", "a list of GuardRule(...)", rule)
        if rule.id in taken:
            raise ConfigError(f"guard.rules: the id {rule.id!r} is taken; choose another")
        taken.add(rule.id)
    return rules


LEVEL_GUARD: Final = Guard()
"""All as the security level says."""
