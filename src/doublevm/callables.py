"""What a function that a host gives is: async or plain, and of the right parameters."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from doublevm.shapes import brief

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_LOOP: Final = "the parent VM has no event loop, make it a plain function"


def wrong_function(name: str, function: Any, parameters: tuple[str, ...]) -> str:
    """Return what is wrong with the function called ``name``, or nothing."""
    if not callable(function):
        return f"{name} must be a function, not {brief(function, 80)}"
    if is_async(function):
        return f"{name} is async; {_NO_LOOP}"
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # it has none that can be read, as some builtins have not
        return ""
    try:
        signature.bind(*parameters)
    except TypeError:
        takes = ", ".join(map(_bare, signature.parameters.values()))
        return f"{name} must take ({', '.join(parameters)}), not ({takes})"
    return ""


def _bare(parameter: inspect.Parameter) -> str:
    """Return a parameter without annotation and default, with its stars."""
    return str(parameter.replace(annotation=parameter.empty, default=parameter.empty))


def gives_awaitable(function: Any) -> bool:
    """Tell whether what a function gives has to be awaited."""
    return _is_one(function, inspect.iscoroutinefunction)


def is_async(function: Any) -> bool:
    """Tell whether a function cannot be asked without an event loop."""
    return _is_one(function, inspect.iscoroutinefunction, inspect.isasyncgenfunction)


def _is_one(function: Any, *kinds: Callable[[Any], bool]) -> bool:
    """Look through partial functions, and at the method that makes an object callable."""
    while isinstance(function, partial):
        function = function.func
    call = getattr(function, "__call__", None)  # noqa: B004 - the method itself is inspected
    return any(kind(function) or kind(call) for kind in kinds)
