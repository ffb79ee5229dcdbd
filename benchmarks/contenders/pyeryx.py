"""pyeryx: CPython compiled to WebAssembly, in the host's own process; tools are awaited."""

from __future__ import annotations

import json
from typing import Any

import eryx

from benchmarks.contenders.base import Contender


def echo(value: Any) -> Any:
    """Return it."""
    return value


def _sandbox() -> Any:
    return eryx.Sandbox(
        callbacks=[{"name": "echo", "fn": echo, "description": "Returns what it is given."}],
        resource_limits=eryx.ResourceLimits(execution_timeout_ms=600_000),
    )


class Eryx(Contender):
    """One sandbox; each ``execute`` gets a fresh interpreter in it."""

    call = "await echo(value={})"
    cold = "import eryx\nprint(eryx.Sandbox().execute('result = 1 + 1').result, flush=True)"

    def __init__(self) -> None:
        """Start nothing yet."""
        self._sandbox: Any = None
        self._session: Any = None

    def run(self, source: str) -> Any:
        """Execute it; its result comes back as JSON."""
        if self._sandbox is None:
            self._sandbox = _sandbox()
        found = self._sandbox.execute(source).result
        return json.loads(found) if isinstance(found, str) else found

    def hold(self) -> None:
        """Keep a session, with its interpreter."""
        self._session = eryx.Session()
        self._session.execute("result = 1")

    def close(self) -> None:
        """Let go of both."""
        self._sandbox = self._session = None
