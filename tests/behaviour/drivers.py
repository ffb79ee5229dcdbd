"""One way to drive both enclaves, so that a test of behaviour is written once and runs over both.

The async enclave is driven from one event loop that lives as long as the enclave, by asyncio's own
Runner: each call here is one trip into that loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any, Literal, Protocol

from doublevm import AsyncEnclave, DoubleVM, Enclave, ParentValidation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doublevm import AsyncSession, AuditRecord, CheckReport, Confinement, RunResult

Driver = Literal["sync", "async"]
Engine = Literal["monty", "cpython"]


class Runs(Protocol):
    """What an enclave and a session have in common."""

    def run(
        self,
        program: str,
        *,
        inputs: dict[str, Any] | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult: ...


class Driven(Runs, Protocol):
    """An enclave of either kind."""

    @property
    def history(self) -> tuple[AuditRecord, ...]: ...

    @property
    def confinement(self) -> Confinement | None: ...

    def check(self, program: str, *, inputs: dict[str, Any] | None = None) -> CheckReport: ...

    def session(self) -> contextlib.AbstractContextManager[Runs]: ...

    def tool_stubs(self) -> str: ...

    def instructions(self) -> str: ...

    def close(self) -> None: ...


class Opens(Protocol):
    """Makes an enclave that is closed when the test ends."""

    def __call__(self, **options: Any) -> Driven: ...


class DrivenAsync:
    """An AsyncEnclave with the loop it lives in."""

    def __init__(self, **options: Any) -> None:
        self.enclave = AsyncEnclave(**options)
        self._runner = asyncio.Runner()

    def run(
        self,
        program: str,
        *,
        inputs: dict[str, Any] | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        return self._runner.run(self.enclave.run(program, inputs=inputs, on_output=on_output))

    def check(self, program: str, *, inputs: dict[str, Any] | None = None) -> CheckReport:
        return self._runner.run(self.enclave.check(program, inputs=inputs))

    @contextlib.contextmanager
    def session(self) -> Iterator[Runs]:
        session = self.enclave.session()
        self._runner.run(session.__aenter__())
        try:
            yield _DrivenSession(self._runner, session)
        finally:
            self._runner.run(session.__aexit__(None, None, None))

    @property
    def history(self) -> tuple[AuditRecord, ...]:
        return self.enclave.history

    @property
    def confinement(self) -> Confinement | None:
        return self.enclave.confinement

    def tool_stubs(self) -> str:
        return self.enclave.tool_stubs()

    def instructions(self) -> str:
        return self.enclave.instructions()

    def close(self) -> None:
        self._runner.run(self.enclave.close())

    def end(self) -> None:
        """Close the enclave, and its loop with it."""
        try:
            self.close()
        finally:
            self._runner.close()


class _DrivenSession:
    def __init__(self, runner: asyncio.Runner, session: AsyncSession) -> None:
        self._runner, self._session = runner, session

    def run(
        self,
        program: str,
        *,
        inputs: dict[str, Any] | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        return self._runner.run(self._session.run(program, inputs=inputs, on_output=on_output))


CALM = ParentValidation(max_operations_per_second=1_000_000, block_suspicious_sequences=False)
"""These tests call tools as fast as they can; what that looks like is judged elsewhere."""


@contextlib.contextmanager
def opened(driver: Driver, **options: Any) -> Iterator[Driven]:
    """Make an enclave of the kind, and close it in the end."""
    double_vm: DoubleVM = options.setdefault("double_vm", DoubleVM())
    if double_vm.enabled and double_vm.parent_validation == ParentValidation():
        options["double_vm"] = dataclasses.replace(double_vm, parent_validation=CALM)
    if driver == "sync":
        with Enclave(**options) as enclave:
            yield enclave
        return
    driven = DrivenAsync(**options)
    try:
        yield driven
    finally:
        driven.end()
