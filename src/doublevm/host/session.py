"""The sync Session: what of an enclave a `with` block holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from doublevm.host.enclave import Enclave
    from doublevm.result import RunResult


class Session:
    """Runs that share a guest: variables, functions and imports stay from one to the next.

    A run that is stopped (time, memory, output) ends the guest; the next one starts afresh. What
    earlier runs of the enclave did counts here too.
    """

    def __init__(self, enclave: Enclave) -> None:
        """Belong to ``enclave``."""
        self._enclave = enclave

    def run(
        self,
        program: str,
        *,
        inputs: dict[str, Any] | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        """Run a program in the session's guest; as ``Enclave.run`` otherwise."""
        return self._enclave._run(program, inputs, on_output, session=True)  # noqa: SLF001

    def __enter__(self) -> Self:
        """Open the session; its guest starts with its first run."""
        self._enclave._core.open_session()  # noqa: SLF001
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Discard the guest."""
        self._enclave._end_session()  # noqa: SLF001
