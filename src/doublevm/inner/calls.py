"""Tools as a guest on cpython sees them: functions, namespaces and ``call_tool``."""

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING, Any

from doublevm.guest_names import CALL_TOOL, guest_path, spread_call_tool
from doublevm.wire.codec import CodecError, decode, encode
from doublevm.wire.inner_frames import Attempt, Error, Later, Value

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterable

    from doublevm.inner.pipe import ParentPipe

_EMPTY_ARGS, _EMPTY_KWARGS = encode([]), encode({})


class Caller:
    """Carries calls to the parent and their answers back."""

    def __init__(self, pipe: ParentPipe, before_call: Callable[[], None]) -> None:
        """``before_call`` runs ahead of each call: it flushes output, to keep the order."""
        self._pipe = pipe
        self._before_call = before_call
        self._calls = 0
        self.filename = ""
        """That of the run's program, in its frames."""
        self.open: dict[int, asyncio.Future[Any]] = {}
        """Concurrent calls that have no answer yet."""

    def call(self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Attempt an operation and wait for its result."""
        return outcome(self._attempt(operation, args, kwargs, self.line(), concurrent=False))

    async def call_async(
        self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any], line: int
    ) -> Any:
        """Attempt an operation; others go on until its result comes. ``line`` is what called."""
        import asyncio  # noqa: PLC0415 - imported once the guest needs it

        answer = self._attempt(operation, args, kwargs, line, concurrent=True)
        if not isinstance(answer, Later):
            return outcome(answer)
        future = asyncio.get_running_loop().create_future()
        self.open[self._calls] = future
        return await future

    def line(self) -> int:
        """Return the line of the run's program that is being executed; 0 if none is.

        The nearest one: what a library calls back for a program, or a string that it executes,
        counts as the line that has called the library.
        """
        frame = sys._getframe(2)  # noqa: SLF001 - what CPython has for this
        while frame.f_code.co_filename != self.filename:
            if frame.f_back is None:
                return 0
            frame = frame.f_back
        return frame.f_lineno or 0

    def settle(self, answers: dict[int, Value | Error]) -> None:
        """Hand results to the calls that wait for them."""
        for number, answer in answers.items():
            future = self.open.pop(number, None)
            if future is None or future.done():
                continue
            try:
                future.set_result(outcome(answer))
            except Exception as error:  # noqa: BLE001 - a tool's exception, the guest's to handle
                future.set_exception(error)

    def _attempt(
        self,
        operation: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        line: int,
        *,
        concurrent: bool,
    ) -> Any:
        self._before_call()
        self._calls += 1
        problem, list_, dict_ = "", _EMPTY_ARGS, _EMPTY_KWARGS
        try:
            list_ = encode(list(args), "arguments") if args else _EMPTY_ARGS
            dict_ = encode(kwargs, "arguments")
        except CodecError as error:
            problem, list_, dict_ = str(error), _EMPTY_ARGS, _EMPTY_KWARGS
        return self._pipe.ask(
            Attempt(self._calls, operation, list_, dict_, concurrent, problem, line)
        )


def outcome(answer: Value | Error) -> Any:
    """Return the result an answer carries, or raise its exception."""
    if isinstance(answer, Value):
        return decode(answer.value)
    kind = getattr(builtins, answer.type_name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind = RuntimeError
    raise kind(answer.message)


class GuestTool:
    """A tool in a guest: an ordinary function, or a coroutine function where it is awaited."""

    def __init__(self, caller: Caller, operation: str) -> None:
        """Call ``operation`` through ``caller``."""
        self.__name__ = self.__qualname__ = operation
        self._caller = caller

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Attempt the operation and return its result."""
        return self._caller.call(*self._read(args, kwargs))

    def awaited(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Return a coroutine that attempts the operation concurrently.

        The line is that of now: when a task attempts it, no frame of the program need be there.
        """
        return self._awaited(args, kwargs, self._caller.line())

    async def _awaited(self, args: tuple[Any, ...], kwargs: dict[str, Any], line: int) -> Any:
        return await self._caller.call_async(*self._read(args, kwargs), line)

    def _read(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        return self.__name__, args, kwargs

    def __repr__(self) -> str:
        """Name the tool without an address, which would differ from run to run."""
        return f"<tool {self.__name__}>"


class _CallTool(GuestTool):
    """``call_tool(name, {…})``."""

    def _read(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        return spread_call_tool(args, kwargs)


class _Namespace:
    """Holds the tools of one namespace as attributes."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __repr__(self) -> str:
        return f"<tools {self.__name__}>"


def guest_tools(caller: Caller, operations: Iterable[str]) -> dict[str, Any]:
    """Return the names a guest starts with."""
    names: dict[str, Any] = {CALL_TOOL: _CallTool(caller, CALL_TOOL)}
    for operation in operations:
        path = guest_path(operation)
        if path is None:
            continue
        *branch, leaf = path
        place = names
        for part in branch:
            place = vars(place.setdefault(part, _Namespace(part)))
        place[leaf] = GuestTool(caller, operation)
    return names


def awaitable_form(function: Any) -> Any:
    """Return what gives a tool's coroutines, and anything else as it is."""
    return function.awaited if isinstance(function, GuestTool) else function
