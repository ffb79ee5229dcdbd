"""A function as a sink: for whatever else should learn of operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doublevm.errors import ConfigError
from doublevm.host.sinks.base import BaseSink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from doublevm.host.sinks.entries import AnyEntry


class CallableSink(BaseSink):
    """Calls a function with each entry, a ``Program``, an ``Attempt`` or an ``Ended``.

    One call at a time, in the order of the entries; what a call gives to await is awaited in the
    event loop of an async enclave, and in one of doublevm's own otherwise. What is asked is the
    answer and not the function: a decorator or ``functools.partial`` hides that one is async.
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
            function: sync or async; what else it returns is not looked at.
            required: whether operations that it did not take are denied.
            **options: those of ``BaseSink``.

        Raises:
            ConfigError: an option is wrong.
        """
        if not callable(function):
            raise ConfigError(f"CallableSink takes a function (entry), not {function!r}")
        super().__init__(required=required, **options)
        self._function = function

    def _keep(self, entries: Sequence[AnyEntry]) -> Awaitable[None] | None:
        for place, entry in enumerate(entries, 1):
            given: Any = self._function(entry)
            if hasattr(given, "__await__"):
                return self._keep_on(given, entries[place:])
        return None

    async def _keep_on(self, given: Any, rest: Sequence[AnyEntry]) -> None:
        await given
        for entry in rest:
            given = self._function(entry)
            if hasattr(given, "__await__"):
                await given
