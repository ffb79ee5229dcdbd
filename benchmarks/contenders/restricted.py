"""RestrictedPython: the program is compiled with guards in it, and run in the host's own process.

Its guards are policies to be written by whoever uses it; these let everything through, so what is
measured is the cost of having them.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final

from RestrictedPython import compile_restricted, safe_builtins

from benchmarks.contenders.base import Contender

_NO_AWAIT: Final = "its programs cannot await"


def echo(value: Any) -> Any:
    """Return it."""
    return value


def _import(name: str, *_: Any) -> Any:
    if name != "json":
        raise ImportError(name)
    return json


def _namespace() -> dict[str, Any]:
    return {
        "__builtins__": {**safe_builtins, "__import__": _import},
        "_getiter_": iter,
        "_getitem_": lambda container, key: container[key],
        "_getattr_": getattr,
        "_write_": lambda target: target,
        "echo": echo,
    }


class Restricted(Contender):
    """A new namespace for each run."""

    cold = (
        "from RestrictedPython import compile_restricted, safe_globals\n"
        "names = dict(safe_globals)\n"
        "exec(compile_restricted('result = 1 + 1', 'program', 'exec'), names)\n"
        "print(names['result'], flush=True)"
    )
    cannot: ClassVar = {"gather": _NO_AWAIT}

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._kept: Any = None

    def run(self, source: str) -> Any:
        """Compile and execute it."""
        namespace = _namespace()
        exec(compile_restricted(source, "program", "exec"), namespace)  # noqa: S102
        return namespace["result"]

    def hold(self) -> None:
        """Keep a namespace."""
        self._kept = _namespace()
        exec(compile_restricted("result = 1", "program", "exec"), self._kept)  # noqa: S102

    def close(self) -> None:
        """Let it go."""
        self._kept = None
