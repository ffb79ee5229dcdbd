"""Arguments: they must fit the parameters the tool declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doublevm.operation import BindingError, Operation, bind
from doublevm.shapes import check
from doublevm.verdict import Deny

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doublevm.operation import Parameter, ToolSpec


def named_arguments(
    spec: ToolSpec | None, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments by name; an unregistered operation takes named ones only.

    Raises:
        BindingError: they do not fit the parameters.
    """
    if spec is not None:
        return bind(spec.parameters, args, kwargs)
    if args:
        raise BindingError("takes its arguments by name, as a dict")
    return dict(kwargs)


def judge_arguments(operation: Operation, parameters: Sequence[Parameter]) -> Deny | None:
    """Deny arguments that are unknown, missing or of the wrong shape."""
    shapes = {parameter.name: parameter.shape for parameter in parameters}
    if operation.args.keys() != shapes.keys():
        try:
            bind(parameters, (), operation.args)
        except BindingError as error:
            return Deny("arguments", "binding", str(error))
    for name, value in operation.args.items():
        # What it is called is written down only where something is wrong with it.
        if check(value, shapes[name], "") is not None:
            problem = check(value, shapes[name], f"argument {name!r}")
            return Deny("arguments", "type", problem or "")
    return None
