"""A function as a sink: for whatever else should learn of operations."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from doublevm.errors import ConfigError
from doublevm.host.sinks.base import BaseSink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from doublevm.host.sinks.entries import AnyEntry


class CallableSink(BaseSink):
    """Calls a function with each entry, a ``Program``, an ``Attempt`` or an ``Ended``.

    One call at a time, in the order of the entries; an async function is awaited in the event loop
    of an async enclave, and in one of doublevm's own otherwise.
    """

    def __init__(
        self,
        function: Callable[[AnyEntry], object],
        *,
        required: bool = False,
        **options: Any,
    ) -> None:
        """Use ``function``; what it raises means that the entry was not kept.

        Args:
            function: sync or async; what it returns is not looked at.
            required: whether operations that it did not take are denied.
            **options: those of ``BaseSink``.

        Raises:
            ConfigError: an option is wrong.
        """
        if not callable(function):
            raise ConfigError(f"CallableSink takes a function (entry), not {function!r}")
        super().__init__(required=required, **options)
        self._function = function
        called = function if inspect.isroutine(function) else type(function).__call__
        self._is_async = inspect.iscoroutinefunction(called)

    def _keep(self, entries: Sequence[AnyEntry]) -> Awaitable[None] | None:
        if self._is_async:
            return self._keep_async(entries)
        for entry in entries:
            self._function(entry)
        return None

    async def _keep_async(self, entries: Sequence[AnyEntry]) -> None:
        for entry in entries:
            waiting: Any = self._function(entry)
            await waiting
