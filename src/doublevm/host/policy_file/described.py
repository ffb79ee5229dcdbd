"""What people are told of an option: the docstring under its field, and what it may be.

Bounds are not written down a second time: the dataclasses are asked, with values between which
accepted and refused ones lie. An option that takes several ranges would be described wrongly; there
is none, and a test looks.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from doublevm.barriers.sequence import BUILT_IN_IDS
from doublevm.errors import ConfigError
from doublevm.host.policy_file.kinds import (
    Choice,
    Items,
    Kind,
    Named,
    Option,
    Plain,
    describe,
)
from doublevm.limits import MAX_COUNT
from doublevm.policy import ParentValidation
from doublevm.scoring_options import HttpScorer

if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST: Final = 2**1023
"""Seconds that are accepted up to here have no bound: no float is much larger."""

_EXAMPLES: Final[dict[type, dict[str, Any]]] = {HttpScorer: {"url": "https://localhost"}}
"""What a dataclass needs before it can be asked about another option."""

_IDS: Final[dict[tuple[type, str], tuple[str, ...]]] = {
    (ParentValidation, "disabled_patterns"): tuple(BUILT_IN_IDS),
    (ParentValidation, "unenforced_patterns"): tuple(BUILT_IN_IDS),
}
"""Strings that are accepted where the annotation says no more than that they are strings."""


@lru_cache
def docs_of(section: type) -> dict[str, str]:
    """Return what the docstring under each field says, in one line."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
    return found


def purpose(section: type) -> str:
    """Return the first sentence of a dataclass's docstring."""
    text = " ".join((inspect.getdoc(section) or "").split())
    return f"{text.partition('. ')[0].removesuffix('.')}."


def narrowed(section: type, option: Option) -> Kind:
    """Return an option's kind, with ids in place of strings where there are just so many."""
    ids = _IDS.get((section, option.name))
    return option.kind if ids is None else Items(Choice(ids))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which numbers are accepted."""

    least: int
    most: int | None
    """None: there is no bound."""
    above: bool
    """Whether ``least`` itself is too small."""

    def __str__(self) -> str:
        """In words, for people: without a bound that is for the wire alone."""
        bounded = self.most is not None and self.most < MAX_COUNT
        if self.above:
            return f"more than {self.least:,}" + (f", {self.most:,} at most" if bounded else "")
        return f"{self.least:,} to {self.most:,}" if bounded else f"{self.least:,} or more"


def bounds(section: type, option: Option) -> Bounds | None:
    """Return which numbers an option accepts, or its values or items; None if they are none."""
    match option.kind:
        case Plain("int" | "float" as name):
            return _bounds(section, option.name, name)
        case Named(Plain("int" | "float" as name)):
            return _bounds(section, option.name, name, "a")
    return None


@lru_cache
def _bounds(section: type, name: str, kind: str, key: str | None = None) -> Bounds:
    def accepts(number: float) -> bool:
        value = number if key is None else {key: number}
        try:
            section(**{**_EXAMPLES.get(section, {}), name: value})
        except ConfigError:
            return False
        return True

    inside = next(number for n in range(1024) if accepts(number := 2**n))
    least = _border(accepts, inside, -1)
    above = kind == "float" and not accepts(0) and accepts(5e-324)
    most = None if accepts(_LARGEST) else _border(accepts, inside, _LARGEST)
    return Bounds(0 if above else least, most, above)


def _border(accepts: Callable[[float], bool], inside: int, outside: int) -> int:
    """Return the last integer that is accepted on the way from one that is to one that is not."""
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        if accepts(middle):
            inside = middle
        else:
            outside = middle
    return inside


def described(section: type, option: Option) -> str:
    """Return what an option may be, with its bounds, for people."""
    said = describe(narrowed(section, option))
    numbers = bounds(section, option)
    return said if numbers is None else f"{said}: {numbers}"


def plain(value: Any) -> Any:
    """Return a value of an option as a file would say it; None where it could not."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case tuple():
            return [plain(item) for item in value]
        case Mapping():
            return dict(value)
        case re.Pattern():
            return value.pattern
        case _:
            return None


def default_of(option: Option) -> Any:
    """Return an option's default as a file would say it; None where it has none or could not."""
    return None if option.default is MISSING else plain(option.default)
