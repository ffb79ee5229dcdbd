"""From a Python signature to the shapes the parent VM checks, and back to what a handler expects.

Runs in the host only. An annotation is read once, when a tool is made; one that no guest value can
satisfy is the host's mistake and said so then.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import inspect
import types
import typing
from collections import abc
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from doublevm import shapes as s
from doublevm.errors import ConfigError
from doublevm.operation import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable

_SCALARS: Final[dict[Any, s.Shape]] = {
    None: s.Scalar("None"), type(None): s.Scalar("None"), bool: s.Scalar("bool"),
    int: s.Scalar("int"), float: s.Scalar("float"), str: s.Scalar("str"),
    bytes: s.Scalar("bytes"), dt.datetime: s.Scalar("datetime"), dt.date: s.Scalar("date"),
    dt.time: s.Scalar("time"), dt.timedelta: s.Scalar("timedelta"), Decimal: s.Scalar("Decimal"),
    UUID: s.Scalar("UUID"), Any: s.AnyShape(), object: s.AnyShape(),
    inspect.Parameter.empty: s.AnyShape(),
}  # fmt: skip

_SEQUENCES: Final[dict[Any, typing.Literal["list", "set"]]] = {
    list: "list", abc.Sequence: "list", abc.Iterable: "list", abc.Collection: "list",
    set: "set", frozenset: "set", abc.Set: "set",
}  # fmt: skip

_UNIONS: Final = (typing.Union, types.UnionType)

_MAPPINGS: Final = (dict, abc.Mapping, abc.MutableMapping)


def read_parameters(function: Callable[..., Any], tool: str) -> tuple[Parameter, ...]:
    """Return what the function takes, as data.

    Raises:
        ConfigError: it takes ``*args`` or ``**kwargs``, or a type that no guest value has.
    """
    hints = parameter_annotations(function, tool)
    parameters = []
    for parameter in signature(function, tool).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigError(
                f"tool {tool!r}: parameter {parameter} has no fixed name; declare each argument, "
                "or take a dict"
            )
        where = f"tool {tool!r}: parameter {parameter.name!r}"
        shape = shape_of(hints[parameter.name], where)
        required = parameter.default is parameter.empty
        positional = parameter.kind is not parameter.KEYWORD_ONLY
        parameters.append(Parameter(parameter.name, shape, required, positional))
    return tuple(parameters)


def signature(function: Callable[..., Any], tool: str) -> inspect.Signature:
    """Return the function's signature, or say that it has none."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"tool {tool!r} has no signature that can be read: {error}") from None


def parameter_annotations(function: Callable[..., Any], tool: str) -> dict[str, Any]:
    """Return each parameter's annotation, names resolved; Parameter.empty where there is none."""
    hints = resolved_annotations(function, tool)
    parameters = signature(function, tool).parameters.values()
    return {
        parameter.name: hints.get(parameter.name, parameter.annotation) for parameter in parameters
    }


def resolved_annotations(function: Callable[..., Any], tool: str) -> dict[str, Any]:
    """Return the function's annotations with names resolved."""
    target: Any = function
    while isinstance(target, functools.partial):
        target = target.func
    target = inspect.unwrap(target)
    if isinstance(target, type):
        target = target.__init__  # type: ignore[misc]
    elif not hasattr(target, "__code__"):
        target = type(target).__call__
    return _hints(target, f"tool {tool!r}")


def _hints(target: Any, where: str, *, include_extras: bool = False) -> dict[str, Any]:
    try:
        return typing.get_type_hints(target, include_extras=include_extras)
    except RecursionError:
        raise
    # Annotations are the host's own code: a name that is missing, text that is no expression. To
    # go on without them would be to go on without checks.
    except Exception as error:  # noqa: BLE001
        raise ConfigError(f"{where}: an annotation cannot be resolved: {error}") from None


def shape_of(annotation: Any, where: str) -> s.Shape:
    """Return the shape of an annotation; ``where`` begins the message of an error.

    Raises:
        ConfigError: no guest value can be what it says.
    """
    try:
        return _shape(annotation, where)
    except RecursionError:
        raise ConfigError(
            f"{where:.200} is annotated with a type that contains itself, which has no shape to "
            "check; use dict or list at the place where it does"
        ) from None


def _shape(annotation: Any, where: str) -> s.Shape:
    if (scalar := _scalar(annotation)) is not None:
        return scalar
    if isinstance(annotation, typing.NewType):
        return _shape(annotation.__supertype__, where)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _shape(arguments[0], where)
    if origin is typing.Literal:
        return _choice(arguments, where)
    if origin in _UNIONS:
        return s.Union(tuple(_shape(argument, where) for argument in arguments))
    return _container(origin or annotation, arguments, where) or _class(annotation, where)


def _scalar(annotation: Any) -> s.Shape | None:
    try:
        return _SCALARS.get(annotation)
    except TypeError:  # not hashable: Literal[[]]
        return None


def _container(kind: Any, arguments: tuple[Any, ...], where: str) -> s.Shape | None:
    if kind in _SEQUENCES and len(arguments) <= 1:
        items = _shape(arguments[0], where) if arguments else s.AnyShape()
        return s.Sequence(_SEQUENCES[kind], items)
    if kind is tuple:
        if not arguments or arguments[-1] is Ellipsis:
            items = _shape(arguments[0], where) if arguments else s.AnyShape()
            return s.Sequence("tuple", items)
        return s.Tuple(tuple(_shape(argument, where) for argument in arguments))
    if kind in _MAPPINGS and len(arguments) in (0, 2):
        keys, values = arguments or (Any, Any)
        return s.Mapping(_shape(keys, where), _shape(values, where))
    return None


def _class(kind: Any, where: str) -> s.Shape:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _choice(tuple(member.value for member in kind), where)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        needed = dataclasses.MISSING
        fields = [field for field in dataclasses.fields(kind) if field.init]
        required = [f.name for f in fields if f.default is needed and f.default_factory is needed]
        return _record(kind, [field.name for field in fields], required, where)
    if typing.is_typeddict(kind):
        return _record(kind, list(kind.__annotations__), _required_keys(kind, where), where)
    if hasattr(kind, "model_validate"):  # a pydantic model, which checks its fields itself
        return s.Mapping(s.Scalar("str"), s.AnyShape())
    raise ConfigError(
        f"{where} is annotated {_show(kind)}, which no guest value can be; use plain types, "
        "dataclasses, TypedDicts, enums, or leave it unannotated"
    )


def _choice(values: tuple[Any, ...], where: str) -> s.Choice:
    if not values:
        raise ConfigError(f"{where} is annotated with an enum that has no members")
    values = tuple(map(_plain_choice, values))
    for value in values:
        if not isinstance(value, str | int | None):
            raise ConfigError(f"{where}: {value!r} is not None, a bool, an int or text")
    return s.Choice(values)


def _plain_choice(value: Any) -> Any:
    """Return what a guest gives for one of a Literal's values, which may be an enum's member."""
    return value.value if isinstance(value, enum.Enum) else value


def _record(kind: type, names: list[str], required: list[str], where: str) -> s.Record:
    hints = _hints(kind, where)
    fields = {name: _shape(hints[name], f"{where}, field {name!r}") for name in names}
    return s.Record(kind.__name__, fields, tuple(required))


def _required_keys(kind: Any, where: str) -> list[str]:
    # Where annotations are postponed, ``__required_keys__`` has not seen these two marks.
    hints = _hints(kind, where, include_extras=True)
    marks = {name: typing.get_origin(hint) for name, hint in hints.items()}
    required = {name for name in kind.__required_keys__ if marks[name] is not typing.NotRequired}
    return sorted(required | {name for name in marks if marks[name] is typing.Required})


def _show(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)


def needs_conversion(shape: s.Shape) -> bool:
    """Whether a value of this shape is something else in Python than what crossed."""
    match shape:
        case s.AnyShape() | s.Scalar():
            return isinstance(shape, s.Scalar) and shape.name == "float"
        case s.Sequence(kind=kind, items=items):
            return kind != "list" or needs_conversion(items)
        case s.Mapping(values=s.AnyShape()):
            return True  # it may be a model's
        case s.Mapping(keys=keys, values=values):
            return needs_conversion(keys) or needs_conversion(values)
        case s.Union(options=options):
            return any(needs_conversion(option) for option in options)
    return True


def convert(value: Any, annotation: Any) -> Any:
    """Return ``value``, which has the annotation's shape, as the annotation says.

    A dataclass from a dict, a tuple from a list, a float from an int.

    Raises:
        ValueError, TypeError: a class refuses the value.
    """
    if isinstance(annotation, typing.NewType):
        return convert(value, annotation.__supertype__)
    kind, arguments = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if kind is typing.Annotated:
        return convert(value, arguments[0])
    if kind is typing.Literal:
        given = (type(value), value)
        plain = ((choice, _plain_choice(choice)) for choice in arguments)
        return next(choice for choice, chosen in plain if (type(chosen), chosen) == given)
    if kind in _UNIONS:
        return _convert_to_one(value, arguments)
    if kind is tuple:
        return _convert_tuple(value, arguments)
    if kind in _SEQUENCES:
        build = kind if kind in (set, frozenset) else set if _SEQUENCES[kind] == "set" else list
        return build(convert(item, arguments[0]) for item in value) if arguments else build(value)
    if kind in _MAPPINGS:
        keys, values = arguments or (Any, Any)
        return {convert(key, keys): convert(item, values) for key, item in value.items()}
    return float(value) if kind is float else _instance(value, kind)


def _convert_to_one(value: Any, options: tuple[Any, ...]) -> Any:
    if type(value) in options:  # an int stays one in ``float | int``
        return value
    problem: Exception = ValueError("the value is none of what it may be")
    for option in options:
        if s.check(value, shape_of(option, "an option"), "the value") is None:
            try:
                return convert(value, option)
            except (TypeError, ValueError) as error:
                problem = error
    raise problem


def _convert_tuple(value: Any, arguments: tuple[Any, ...]) -> Any:
    if not arguments:
        return tuple(value)
    if arguments[-1] is Ellipsis:
        return tuple(convert(item, arguments[0]) for item in value)
    return tuple(convert(item, kind) for item, kind in zip(value, arguments, strict=True))


def _instance(value: Any, kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(value)
    if dataclasses.is_dataclass(kind) or typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: convert(item, hints[name]) for name, item in value.items()})
    validate = getattr(kind, "model_validate", None)
    return value if validate is None else validate(value)
