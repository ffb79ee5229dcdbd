"""Checks the types of programs before they run, within a run's time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doublevm.engines.base import EngineDiedError
from doublevm.guard.findings import at_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.engines.monty_types import MontyTypes
    from doublevm.guard.findings import Finding
    from doublevm.guard.reading import Reading
    from doublevm.parent.watchdog import Watchdog

RULE = "type_check"


class TypeCheck:
    """Asks the type checker, and holds it to the time."""

    def __init__(self, worker: MontyTypes, stubs: str, watchdog: Watchdog) -> None:
        """Check against ``stubs``, the tools' declarations."""
        self.worker = worker
        self._stubs, self._watchdog = stubs, watchdog

    def apply(self, reading: Reading, timeout: float) -> None:
        """Add to a program's findings what its types show; nothing else is not let through."""
        if reading.program is not None:
            reading.add("refuse", list(self._findings(reading, timeout)))

    def _findings(self, reading: Reading, timeout: float) -> Iterator[Finding]:
        lines = reading.lines
        self._watchdog.arm(timeout, self.worker.kill)
        try:
            found = self.worker.diagnose(reading.source, self._stubs)
        except EngineDiedError as error:
            yield at_place(RULE, 1, 1, lines, str(error))
            return
        finally:
            self._watchdog.disarm()
        for each in found:
            advice = "see the tools' declarations"
            yield at_place(RULE, each.line, each.column, lines, each.message, advice)
