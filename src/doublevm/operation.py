"""An operation: one attempt of a guest to use a tool of its host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from doublevm.shapes import Shape, brief

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Parameter(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One argument that a tool declares."""

    name: str
    shape: Shape
    required: bool
    positional: bool = True
    """Whether it may be given by position."""


class ToolSpec(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the parent VM knows of a tool: how calls to it must look, and nothing else."""

    name: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """What the guest asks for, with arguments by name."""

    name: str
    args: Mapping[str, Any]


class BindingError(TypeError):
    """The call's arguments do not fit the tool's parameters; the message says which."""


def bind(
    parameters: Sequence[Parameter], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Give positional arguments their names, as Python's own call would.

    Raises:
        BindingError: too many positional arguments, one given twice, an unknown or a missing one.
    """
    bound = _by_position(parameters, args) if args else {}
    known = {parameter.name for parameter in parameters}
    for name, value in kwargs.items():
        if name in bound:
            raise BindingError(f"argument {name!r} was given twice")
        if name not in known:
            raise BindingError(f"there is no argument {brief(name)}; {_signature(parameters)}")
        bound[name] = value
    if len(bound) == len(known):
        return bound
    missing = [p.name for p in parameters if p.required and p.name not in bound]
    if missing:
        raise BindingError(f"argument {missing[0]!r} is missing; {_signature(parameters)}")
    return bound


def _by_position(parameters: Sequence[Parameter], args: Sequence[Any]) -> dict[str, Any]:
    places = [parameter.name for parameter in parameters if parameter.positional]
    if len(args) > len(places):
        raise BindingError(f"takes {_count(len(places))} by position, {len(args)} were given")
    return dict(zip(places, args, strict=False))


def _count(number: int) -> str:
    return f"{number} argument" if number == 1 else f"{number} arguments"


def _signature(parameters: Sequence[Parameter]) -> str:
    names = ", ".join(p.name if p.required else f"{p.name}=…" for p in parameters)
    return f"it takes ({names})"
