"""Tools: functions of the host that guest programs may call."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from doublevm.barriers.names import MAX_NAME, is_name
from doublevm.callables import gives_awaitable
from doublevm.errors import ConfigError
from doublevm.guest_names import CALL_TOOL, guest_path
from doublevm.operation import Parameter, ToolSpec
from doublevm.signatures import (
    convert,
    needs_conversion,
    parameter_annotations,
    read_parameters,
    resolved_annotations,
    signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Tool:
    """One tool: a function, the name of its operation, and what its arguments must look like.

    Still callable as the function it was made of.
    """

    name: str
    """Name of the operation, e.g. ``"users:list"``."""
    function: Callable[..., Any]
    """The handler, sync or async."""
    description: str
    """What the model is told: the function's docstring."""
    parameters: tuple[Parameter, ...]
    """What it takes."""
    returns: Any
    """Annotation of what it returns, for the stubs."""
    expose_errors: bool
    """Whether the guest sees the message of the handler's exceptions, or just "tool failed"."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, as if it were not a tool."""
        return self.function(*args, **kwargs)

    @property
    def is_async(self) -> bool:
        """Whether calling the handler gives something to await."""
        return gives_awaitable(self.function)

    @property
    def spec(self) -> ToolSpec:
        """What the parent VM is told."""
        return ToolSpec(self.name, self.parameters)


class Reading:
    """What there is to know of a tool's signature in order to call it.

    Read once for many calls: it takes longer than all else that a call costs in the host.
    """

    __slots__ = ("_by_place", "_converted")

    def __init__(self, tool: Tool) -> None:
        """Read it."""
        hints = parameter_annotations(tool.function, tool.name)
        self._converted = {
            p.name: hints[p.name] for p in tool.parameters if needs_conversion(p.shape)
        }
        parameters = signature(tool.function, tool.name).parameters.values()
        self._by_place = [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_ONLY]

    def arguments(self, given: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return positional and keyword arguments of the handler for values by name.

        Raises:
            ValueError, TypeError: a class among the parameters refuses its value.
        """
        kwargs = dict(given)
        for name, annotation in self._converted.items():
            if name in kwargs:
                kwargs[name] = convert(kwargs[name], annotation)
        # One left out is filled in, or those after it would take its place.
        return [kwargs.pop(name, default) for name, default in self._by_place], kwargs


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *, name: str | None = None, expose_errors: bool = True
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    expose_errors: bool = True,
) -> Any:
    """Make a function a tool: ``@tool`` or ``@tool(name="users:list")``.

    Args:
        function: the function, sync or async; its annotations are checked for every call.
        name: name of the operation; the function's own name by default.
        expose_errors: False hides the messages of its exceptions from the guest.

    Raises:
        ConfigError: the name or the signature is not usable.
    """
    if function is None:
        return functools.partial(make_tool, name=name, expose_errors=expose_errors)
    return make_tool(function, name=name, expose_errors=expose_errors)


def make_tool(function: Any, *, name: str | None = None, expose_errors: bool = True) -> Tool:
    """Return a tool for a function, or the tool itself if it is one."""
    if isinstance(function, Tool):
        return function
    if not callable(function):
        raise ConfigError(f"tools must be functions, not {function!r}")
    operation = name if name is not None else getattr(function, "__name__", None)
    if not isinstance(operation, str) or not is_name(operation):
        raise ConfigError(
            f"tool name {operation!r} is not usable: a name has 1 to {MAX_NAME} of the characters "
            "A-Z a-z 0-9 _ . : / -; give one with @tool(name=...)"
        )
    if operation == CALL_TOOL:
        raise ConfigError(f"tool name {CALL_TOOL!r} is taken by the guest's own function")
    return Tool(
        operation,
        function,
        inspect.getdoc(function) or "",
        read_parameters(function, operation),
        resolved_annotations(function, operation).get("return", Any),
        expose_errors,
    )


def register(tools: Iterable[Any]) -> dict[str, Tool]:
    """Return the tools by name.

    Raises:
        ConfigError: two have one name, or would be called the same way by a guest.
    """
    if isinstance(tools, str | bytes | dict) or not hasattr(tools, "__iter__"):
        raise ConfigError(f"tools must be a list of functions, not {tools!r}")
    registered: dict[str, Tool] = {}
    paths: dict[tuple[str, ...], str] = {}
    for made in map(make_tool, tools):
        if made.name in registered:
            raise ConfigError(f"tools has two tools named {made.name!r}; rename one of them")
        registered[made.name] = made
        path = guest_path(made.name)
        if path is not None:
            _claim(path, made.name, paths)
    return registered


def _claim(path: tuple[str, ...], name: str, paths: dict[tuple[str, ...], str]) -> None:
    for taken, other in paths.items():
        short = min(len(taken), len(path))
        if taken[:short] == path[:short] and short in (len(taken), len(path)):
            raise ConfigError(
                f"tools {other!r} and {name!r} cannot both be called by a guest: "
                f"{'.'.join(path[:short])} would be two things; rename one of them"
            )
    paths[path] = name
