"""Shapes: what a tool's parameter accepts, as data that can cross to the parent VM.

The host derives a shape from an annotation once; the parent VM and the host both check values
against it. A shape knows nothing of Python classes, so nothing is imported to check one.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import Any, Final, Literal, get_args

import msgspec

ScalarName = Literal[
    "None", "bool", "int", "float", "str", "bytes", "datetime", "date", "time", "timedelta",
    "Decimal", "UUID",
]  # fmt: skip


class _Shape(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of all shapes."""


class AnyShape(_Shape, frozen=True, tag="any"):
    """Every value that can cross."""


class Scalar(_Shape, frozen=True, tag="scalar"):
    """One plain type; ``float`` takes ints too, and ``int`` never a bool."""

    name: ScalarName


class Sequence(_Shape, frozen=True, tag="sequence"):
    """A list, tuple or set, all items of one shape; a list also serves for the other two."""

    kind: Literal["list", "tuple", "set"]
    items: Shape


class Tuple(_Shape, frozen=True, tag="tuple"):
    """A tuple (or list) of a fixed length, each item with a shape of its own."""

    items: tuple[Shape, ...]


class Mapping(_Shape, frozen=True, tag="mapping"):
    """A dict with keys of one shape and values of one shape."""

    keys: Shape
    values: Shape


class Record(_Shape, frozen=True, tag="record"):
    """A dict with named fields: what a dataclass or TypedDict parameter takes."""

    name: str
    fields: dict[str, Shape]
    required: tuple[str, ...]


class Choice(_Shape, frozen=True, tag="choice"):
    """One of some literal values."""

    values: tuple[bool | int | str | None, ...]


class Union(_Shape, frozen=True, tag="union"):
    """Any one of several shapes."""

    options: tuple[Shape, ...]


Shape = AnyShape | Scalar | Sequence | Tuple | Mapping | Record | Choice | Union

_SCALARS: Final[dict[str, tuple[type, ...]]] = {
    "None": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "str": (str,),
    "bytes": (bytes,),
    "datetime": (dt.datetime,),
    "date": (dt.date,),
    "time": (dt.time,),
    "timedelta": (dt.timedelta,),
    "Decimal": (decimal.Decimal,),
    "UUID": (uuid.UUID,),
}

SCALAR_NAMES: Final = get_args(ScalarName)

_CONTAINERS: Final[dict[str, tuple[type, ...]]] = {
    "list": (list,),
    "tuple": (tuple, list),
    "set": (set, frozenset, list),
}


def check(value: Any, shape: Shape, path: str) -> str | None:
    """Return what is wrong with ``value``, naming the path to it, or None.

    ``path`` is how the caller names the value itself, e.g. ``argument 'limit'``. To write the path
    to every item takes longer than to check it, so containers do that only where they have to.
    """
    match shape:
        case Scalar(name=name):
            fits = type(value) in _SCALARS[name]
            return None if fits else _mismatch(value, shape, path)
        case AnyShape():
            return None
        case Sequence():
            return _check_sequence(value, shape, path)
        case Tuple(items=items):
            if not isinstance(value, tuple | list) or len(value) != len(items):
                return _mismatch(value, shape, path)
            pairs = zip(value, items, strict=True)
            return _first(check(v, s, f"{path}[{i}]") for i, (v, s) in enumerate(pairs))
        case Mapping():
            return _check_mapping(value, shape, path)
        case Record():
            return _check_record(value, shape, path)
        case Choice(values=values):
            fits = any(type(value) is type(v) and value == v for v in values)
            return None if fits else _mismatch(value, shape, path)
        case Union(options=options):
            for option in options:
                if check(value, option, path) is None:
                    return None
            return _mismatch(value, shape, path)


def brief(value: Any, size: int = 40) -> str:
    """Return the beginning of a value's repr, for messages."""
    try:
        return f"{value!r:.{size}}"
    # Python writes no int of more than 4,300 digits; and a host's class may have a broken repr.
    except Exception:  # noqa: BLE001
        return f"<{type(value).__name__}>"


def describe(shape: Shape) -> str:
    """Return the shape as a person would write the annotation."""
    match shape:
        case AnyShape():
            return "any value"
        case Scalar(name=name):
            return name
        case Sequence(kind=kind, items=items):
            return kind if isinstance(items, AnyShape) else f"{kind}[{describe(items)}]"
        case Tuple(items=parts):
            return f"tuple[{', '.join(describe(part) for part in parts)}]"
        case Mapping(keys=keys, values=values):
            plain = isinstance(keys, AnyShape) and isinstance(values, AnyShape)
            return "dict" if plain else f"dict[{describe(keys)}, {describe(values)}]"
        case Record(name=name, fields=fields):
            return f"{name} (a dict with {', '.join(fields)})"
        case Choice(values=choices):
            return "one of " + ", ".join(repr(choice) for choice in choices)
        case Union(options=options):
            return " or ".join(describe(option) for option in options)


def _check_sequence(value: Any, shape: Sequence, path: str) -> str | None:
    if type(value) not in _CONTAINERS[shape.kind]:
        return _mismatch(value, shape, path)
    # Most items are plain: looking at their types alone is twenty times faster.
    plain = _SCALARS.get(shape.items.name, ()) if isinstance(shape.items, Scalar) else ()
    if isinstance(shape.items, AnyShape) or all(type(item) in plain for item in value):
        return None
    for i, item in enumerate(value):
        if check(item, shape.items, "") is not None:
            return check(item, shape.items, f"{path}[{i}]")
    return None


def _check_mapping(value: Any, shape: Mapping, path: str) -> str | None:
    if not isinstance(value, dict):
        return _mismatch(value, shape, path)
    for key in value:
        if check(key, shape.keys, "") is not None:
            return check(key, shape.keys, f"key {brief(key)} of {path}")
    for key, item in value.items():
        if check(item, shape.values, "") is not None:
            return check(item, shape.values, f"{path}[{brief(key)}]")
    return None


def _check_record(value: Any, shape: Record, path: str) -> str | None:
    if not isinstance(value, dict):
        return _mismatch(value, shape, path)
    for name in shape.required:
        if name not in value:
            return f"{path} lacks {name!r}; it must be {describe(shape)}"
    for name in value:
        if name not in shape.fields:
            return f"{path} has no {brief(name)}; it must be {describe(shape)}"
    return _first(check(item, shape.fields[key], f"{path}[{key!r}]") for key, item in value.items())


def _first(problems: Any) -> str | None:
    return next((problem for problem in problems if problem is not None), None)


def _mismatch(value: Any, shape: Shape, path: str) -> str:
    if isinstance(shape, Choice):
        return f"{path} must be {describe(shape)}, not {brief(value, 60)}"
    if isinstance(shape, Tuple) and isinstance(value, tuple | list):
        return f"{path} must have {len(shape.items)} items, not {len(value)}"
    return f"{path} must be {describe(shape)}, not {type(value).__name__}"
