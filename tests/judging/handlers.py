"""Tools that note what reaches them."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import time
from typing import TYPE_CHECKING, Any, Final

from doublevm import Tool, tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KINDS: Final[dict[str, Any]] = {
    "any": Any,
    "bool": bool,
    "date": dt.date,
    "dict": dict[str, Any],
    "float": float,
    "int": int,
    "list": list[Any],
    "str": str,
}


class Recorder:
    """Makes tools, sync or async, and keeps what reached them, in order."""

    def __init__(self, *, is_async: bool, raising: Iterable[str] = ()) -> None:
        """Begin with nothing; the tools named ``raising`` raise."""
        self.handled: list[str] = []
        self._is_async, self._raising = is_async, frozenset(raising)

    def take(self) -> list[str]:
        """Return what has been handled since the last time."""
        handled, self.handled = self.handled, []
        return handled

    def tool(self, name: str, parameters: Mapping[str, str]) -> Tool:
        """Return a tool whose parameters are all optional; ``seconds`` is how long it takes."""

        def handler(**args: Any) -> str:
            time.sleep(self._begin(name, args))
            return self._end(name)

        async def async_handler(**args: Any) -> str:
            await asyncio.sleep(self._begin(name, args))
            return self._end(name)

        function: Any = async_handler if self._is_async else handler
        kinds = {parameter: _KINDS[kind] for parameter, kind in parameters.items()}
        function.__annotations__ = kinds
        function.__signature__ = inspect.Signature(
            [
                inspect.Parameter(
                    parameter,
                    inspect.Parameter.POSITIONAL_OR_KEYWORD,
                    default=None,
                    annotation=kind,
                )
                for parameter, kind in kinds.items()
            ]
        )
        return tool(name=name)(function)

    def catch_all(self, name: str, args: dict[str, Any]) -> str:
        """Handle every other name."""
        self._begin(name, args)
        return self._end(name)

    def _begin(self, name: str, args: Mapping[str, Any]) -> float:
        shown = "".join(f" {key}={value!r}" for key, value in args.items())
        self.handled.append(name + shown)
        return float(args.get("seconds", 0.0))

    def _end(self, name: str) -> str:
        if name in self._raising:
            raise ValueError(f"{name} failed")
        return name
