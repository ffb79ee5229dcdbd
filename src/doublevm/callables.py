"""Whether a function that a host gives can be asked in a VM: plain, and of the right parameters."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any, Final

from doublevm.shapes import brief

_NO_LOOP: Final = "the parent VM has no event loop, make it a plain function"


def wrong_function(name: str, function: Any, parameters: tuple[str, ...]) -> str:
    """Return what is wrong with the function called ``name``, or nothing."""
    if not callable(function):
        return f"{name} must be a function, not {brief(function, 80)}"
    if _is_async(function):
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


def _is_async(function: Any) -> bool:
    while isinstance(function, partial):
        function = function.func
    call = getattr(function, "__call__", None)  # noqa: B004 - the method itself is inspected
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    return any(kind(function) or kind(call) for kind in kinds)
