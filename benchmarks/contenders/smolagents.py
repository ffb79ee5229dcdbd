"""smolagents' local executor: it walks the program's syntax tree, in the host's own process."""

from __future__ import annotations

from typing import Any, ClassVar

from smolagents.local_python_executor import LocalPythonExecutor

from benchmarks.contenders.base import Contender

_CANNOT = "its programs cannot await"


def echo(value: Any) -> Any:
    """Return it."""
    return value


class Local(Contender):
    """A new executor for each run."""

    cold = (
        "from smolagents.local_python_executor import LocalPythonExecutor\n"
        "executor = LocalPythonExecutor(additional_authorized_imports=[])\n"
        "executor.send_tools({})\n"
        "print(executor('1 + 1').output, flush=True)"
    )
    pace = 0.003
    cannot: ClassVar = {"gather": _CANNOT}

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._kept: Any = None

    def run(self, source: str) -> Any:
        """Execute it."""
        executor = self._made()
        return executor(source).output

    def hold(self) -> None:
        """Keep an executor with its variables."""
        self._kept = self._made()
        self._kept("result = 1")

    def close(self) -> None:
        """Let it go."""
        self._kept = None

    @staticmethod
    def _made() -> Any:
        # Its clock runs a thread for each program, as it does for its users.
        executor = LocalPythonExecutor(additional_authorized_imports=["json"], timeout_seconds=600)
        executor.send_tools({"echo": echo})
        return executor
