"""What each option may be in a file, read from the annotations of the dataclasses.

So an option that is added to a dataclass is known to policy files, to their schema and to their
reference, without a word here.
"""

from __future__ import annotations

import inspect
import re
from collections import abc
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin

from doublevm.host.policy_file.spelling import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from doublevm.host.policy_file.lines import Path

PlainName = Literal["bool", "int", "float", "str", "expression"]


@dataclass(frozen=True, slots=True)
class Plain:
    """One value; ``float`` takes integers too, and ``expression`` is a regular expression."""

    name: PlainName


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some strings."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """An array, all items of one kind."""

    item: Kind


@dataclass(frozen=True, slots=True)
class Named:
    """A table with any names, all values of one kind."""

    value: Kind


@dataclass(frozen=True, slots=True)
class Section:
    """A table with the options of a dataclass."""

    of: type


@dataclass(frozen=True, slots=True)
class Either:
    """One of several kinds, no two of which take the same type of value."""

    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """What is or contains a function, which no file can say."""


Kind = Plain | Choice | Items | Named | Section | Either | Function


@dataclass(frozen=True, slots=True)
class Option:
    """One field of a dataclass."""

    name: str
    kind: Kind
    default: Any
    """Its default, or MISSING."""
    secret: bool
    """Whether its value is shown nowhere."""


@lru_cache
def options_of(section: type) -> dict[str, Option]:
    """Return the options of a dataclass, by name, those that no file can say included."""
    assert is_dataclass(section)
    annotations = inspect.get_annotations(section, eval_str=True)
    found = {}
    for field in fields(section):
        factory = field.default_factory
        default = field.default if factory is MISSING else factory()
        kind = kind_of(annotations[field.name])
        found[field.name] = Option(field.name, kind, default, secret=not field.repr)
    return found


def sayable(section: type) -> dict[str, Option]:
    """Return the options that a file can say."""
    options = options_of(section)
    return {name: each for name, each in options.items() if not isinstance(each.kind, Function)}


_PLAIN: Final[dict[Any, PlainName]] = {bool: "bool", int: "int", float: "float", str: "str"}


def kind_of(annotation: Any) -> Kind:
    """Return the kind that an annotation means.

    Raises:
        TypeError: it means none.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _either(args)
    if annotation in _PLAIN:
        return Plain(_PLAIN[annotation])
    if origin is re.Pattern:
        return Plain("expression")
    if origin is Literal:
        return Choice(args)
    if origin is abc.Callable:
        return Function()
    if origin is tuple and args[1:] == (...,):
        item = kind_of(args[0])
        return item if isinstance(item, Function) else Items(item)
    if origin is abc.Mapping and args[0] is str:
        return Named(kind_of(args[1]))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return Choice(tuple(annotation.__members__))
    if is_dataclass(annotation):
        return _section(annotation)
    raise TypeError(f"there is no way to write {annotation} in a policy file")


def _section(of: Any) -> Kind:
    needed = (each for each in options_of(of).values() if each.default is MISSING)
    return Function() if any(isinstance(each.kind, Function) for each in needed) else Section(of)


def _either(annotations: tuple[Any, ...]) -> Kind:
    """Return what a file can say of several: no None, no function, and a pattern by its text."""
    kinds = [kind_of(each) for each in annotations if each is not NoneType]
    if Plain("expression") in kinds:
        kinds.remove(Plain("str"))
    said = tuple(kind for kind in kinds if not isinstance(kind, Function))
    if len(said) > 1:
        return Either(said)
    return said[0] if said else Function()


def describe(kind: Kind) -> str:
    """Return what a value of this kind has to be, for messages."""
    match kind:
        case Plain(name):
            return _DESCRIBED[name]
        case Choice(values):
            return _one_of(map(shown, values))
        case Items(item):
            return f"an array, each item {describe(item)}"
        case Named(value):
            return f"a table, each value {describe(value)}"
        case Section():
            return "a table"
        case Either(kinds):
            return _one_of(map(describe, kinds))
        case Function():
            return "a function"


def _one_of(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


_DESCRIBED: Final[dict[PlainName, str]] = {
    "bool": "true or false",
    "int": "an integer",
    "float": "a number",
    "str": "a string",
    "expression": "a regular expression, as a string",
}
_TAKES: Final[dict[PlainName, tuple[type, ...]]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "expression": (str,),
}


def misfits(value: Any, kind: Kind, path: Path) -> Iterator[tuple[Path, str]]:
    """Say what of a value is not of its kind: where, and what it has to be there.

    What is in a table of options is not looked at.
    """
    match kind, value:
        case Items(item), list():
            for number, each in enumerate(value):
                yield from misfits(each, item, (*path, number))
        case Named(of), dict():
            for name, each in value.items():
                yield from misfits(each, of, (*path, name))
        case _:
            if not _fits(value, kind):
                yield path, describe(kind)


def _fits(value: Any, kind: Kind) -> bool:
    match kind:
        case Plain(name):
            return type(value) in _TAKES[name]
        case Choice(values):
            return value in values
        case Section():
            return isinstance(value, dict)
        case Either(kinds):
            return any(_fits(value, each) for each in kinds)
        case _:
            return False
