"""The host's last check of an operation, and the running of its handler."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import inspect
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from doublevm.barriers.arguments import judge_arguments
from doublevm.barriers.names import judge_name
from doublevm.errors import ConfigError, ProtocolError
from doublevm.host.effects import Finished
from doublevm.operation import Operation
from doublevm.tools import Reading, Tool, make_tool, register
from doublevm.wire import frames as f
from doublevm.wire.codec import CodecError, encode
from doublevm.wire.exceptions import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MAX_ERROR_MESSAGE: Final = 2000
"""Characters of a handler's exception that the guest sees."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A handler with the arguments of one call."""

    run: int
    call: int
    tool: Tool
    operation: str
    args: dict[str, Any]
    reading: Reading | None
    """How the tool takes its arguments; None if it takes them as they are."""

    def call_handler(self) -> Any:
        """Call the handler; an async one gives an awaitable."""
        if self.reading is None:
            return self.tool.function(**self.args)
        positional, named = self.reading.arguments(self.args)
        return self.tool.function(*positional, **named)

    def returned(self, value: Any, began: float) -> Finished:
        """Turn the handler's result into the answer for the guest."""
        what = f"the result of {self.operation}"
        try:
            payload = _encode_result(value, what)
        except CodecError as error:
            return self.raised(TypeError(str(error)), began)
        # The border to the host's classes: a model's `model_dump` may raise what it likes.
        except Exception as error:  # noqa: BLE001
            return self.raised(error, began)
        answer = f.Returned(self.run, self.call, payload)
        return Finished(self.call, answer, time.monotonic() - began)

    def raised(self, error: BaseException, began: float) -> Finished:
        """Turn the handler's exception into the answer for the guest: type and message only."""
        kind, message = "RuntimeError", "tool failed"
        if self.tool.expose_errors:
            # The border again: an exception's `__str__` may raise as well.
            with contextlib.suppress(Exception):
                kind, message = nearest(error)
        message = message.encode("utf-8", "backslashreplace").decode()[:MAX_ERROR_MESSAGE]
        answer = f.Raised(self.run, self.call, kind, message)
        return Finished(self.call, answer, time.monotonic() - began)


class Handlers:
    """The tools of an enclave and its handler for all other names."""

    def __init__(
        self,
        tools: Iterable[Any],
        tool_handler: Callable[[str, dict[str, Any]], Any] | None,
    ) -> None:
        """Register the tools.

        Raises:
            ConfigError: a tool or the handler is not usable.
        """
        if tool_handler is not None and not _takes_name_and_args(tool_handler):
            raise ConfigError(f"tool_handler must be a function (name, args), not {tool_handler!r}")
        self.tools: Mapping[str, Tool] = register(tools)
        self._readings = {
            name: Reading(tool) if tool.parameters else None for name, tool in self.tools.items()
        }
        self.catch_all = tool_handler is not None
        self._other = _catch_all(tool_handler) if tool_handler is not None else None

    def invocation(self, run: int, call: f.Call, args: Any) -> Invocation:
        """Return the handler of an operation that the parent VM let through.

        Raises:
            ProtocolError: it should not have let it through.
        """
        if not isinstance(args, dict) or not all(isinstance(name, str) for name in args):
            raise ProtocolError("parent", "call", "arguments that are not a dict of names")
        wrong = judge_name(call.operation, self.tools, catch_all=self.catch_all)
        tool = self.tools.get(call.operation)
        if tool is not None:
            wrong = wrong or judge_arguments(Operation(call.operation, args), tool.parameters)
        if wrong is not None:
            raise ProtocolError("parent", "call", wrong.message(call.operation[:200]))
        if tool is not None:
            reading = self._readings[call.operation]
            return Invocation(run, call.call, tool, call.operation, args, reading)
        assert self._other is not None  # judge_name lets no other name through without it
        both = {"name": call.operation, "args": args}
        return Invocation(run, call.call, self._other, call.operation, both, None)


def _takes_name_and_args(handler: Any) -> bool:
    if not callable(handler):
        return False
    try:
        inspect.signature(handler).bind("name", {})
    except TypeError:
        return False
    except ValueError:  # it has no signature to be read, as some builtins have not
        return True
    return True


def _catch_all(handler: Callable[[str, dict[str, Any]], Any]) -> Tool:
    def call(name: str, args: dict[str, Any]) -> Any:
        return handler(name, args)

    async def call_async(name: str, args: dict[str, Any]) -> Any:
        return await handler(name, args)

    probe = Tool("tool_handler", handler, "", (), Any, expose_errors=True)
    return make_tool(call_async if probe.is_async else call, name="tool_handler")


def _encode_result(value: Any, what: str) -> bytes:
    try:
        return encode(value, what)
    except CodecError as error:
        try:
            plain = _plain(value)
        except RecursionError:  # too deep, or it contains itself
            raise error from None
        return encode(plain, what)


def _plain(value: Any) -> Any:
    """Return dataclasses, models and enums, at any depth, as the plain values they stand for."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if callable(dump := getattr(value, "model_dump", None)) and not isinstance(value, type):
        return _plain(dump())
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        kind = next(k for k in (list, tuple, set, frozenset) if isinstance(value, k))
        return kind(_plain(item) for item in value)
    return value
