"""pydantic_monty by itself: a Python in Rust, in a worker process, judged by nobody.

Once driven as doublevm does it, call by call with ``feed_start`` and ``resume``; once with
``feed_run``, which is what its users write.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar

import pydantic_monty as m

from benchmarks.contenders.base import Contender

_LIMITS: m.ResourceLimits = {"max_suspensions": 2**31}


def echo(value: Any) -> Any:
    """Return it."""
    return value


class _Pooled(Contender):
    """One worker, a new session for each run."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._stack = ExitStack()
        self._pool: m.Monty | None = None

    def checkout(self) -> m.MontySession:
        """Return a fresh session."""
        if self._pool is None:
            self._pool = self._stack.enter_context(m.Monty(max_processes=1))
        return self._pool.checkout(limits=_LIMITS)

    def hold(self) -> None:
        """Keep a session open."""
        self._stack.enter_context(self.checkout()).feed_run("result = 1\nresult")

    def close(self) -> None:
        """End the worker."""
        self._stack.close()
        self._pool = None


class FeedRun(_Pooled):
    """The tool is called by the client library."""

    cold = (
        "from pydantic_monty import Monty\n"
        "with Monty(max_processes=1) as pool, pool.checkout() as session:\n"
        "    print(session.feed_run('1 + 1'), flush=True)"
    )

    cannot: ClassVar = {"gather": "what it awaits has to be driven by AsyncMonty"}

    def run(self, source: str) -> Any:
        """Feed the program to a session."""
        with self.checkout() as session:
            return session.feed_run(source, external_lookup={"echo": echo})


class Resumed(_Pooled):
    """The tool is called here, when a snapshot asks for it."""

    cold = (
        "from pydantic_monty import Monty\n"
        "with Monty(max_processes=1) as pool, pool.checkout() as session:\n"
        "    print(session.feed_start('1 + 1').output, flush=True)"
    )

    def run(self, source: str) -> Any:
        """Take it through, step by step."""
        later = "await" in source
        pending: dict[int, Any] = {}
        with self.checkout() as session:
            snapshot: Any = session.feed_start(source)
            while not isinstance(snapshot, m.MontyComplete):
                if isinstance(snapshot, m.NameLookupSnapshot):
                    snapshot = snapshot.resume(value=echo)
                elif isinstance(snapshot, m.FutureSnapshot):
                    snapshot = snapshot.resume(pending)
                    pending = {}
                elif later:
                    pending[snapshot.call_id] = {"return_value": echo(*snapshot.args)}
                    snapshot = snapshot.resume({"future": ...})
                else:
                    snapshot = snapshot.resume({"return_value": echo(*snapshot.args)})
            return snapshot.output
