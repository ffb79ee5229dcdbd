"""A host that confines nothing: it runs a program with ``exec``, beside its secrets and its tools.

What many a "sandbox" comes down to, and the control of every escape. It offers what doublevm's
guests have: the tool ``show``, and ``canary.blocked``, which a judge denies.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import json
import pickle
import sys
import types
import warnings  # noqa: F401 - a host has it loaded, and class walks look for it
from typing import Any, Final

_CO_COROUTINE: Final = 0x80


def _judged(operation: str, handlers: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    if "blocked" in operation:
        raise PermissionError(f"{operation} is denied")
    return handlers[operation](*args, **kwargs)


def _tools(host_secret: str, blocked_secret: str) -> dict[str, Any]:
    """Return a guest's names: each leads to the secrets, for whoever looks closely."""

    def show(value: Any) -> Any:
        known = {"secret": host_secret}
        if value == known["secret"] or value in known.values():
            return "known"
        with contextlib.suppress(Exception):  # what cannot be pickled stays as it is
            value = pickle.loads(pickle.dumps(value))  # noqa: S301 - that is what is naive
        return value

    def blocked(value: Any = None) -> str:
        sys.stdout.write(blocked_secret)
        return blocked_secret

    handlers = {"show": show, "canary:blocked": blocked}

    def call_tool(name: str, args: dict[str, Any]) -> Any:
        return _judged(name, handlers, **args)

    def denied(*args: Any) -> Any:
        return _judged("canary:blocked", handlers, *args)

    return {"call_tool": call_tool, "show": show, "canary": types.SimpleNamespace(blocked=denied)}


def run(program: str, host_secret: str, blocked_secret: str) -> None:
    """Run a program as the module ``__main__``."""
    main = types.ModuleType("__main__")
    vars(main).update(_tools(host_secret, blocked_secret), __builtins__=builtins)
    sys.modules["__main__"] = main
    code = compile(program, "<program>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    try:
        if code.co_flags & _CO_COROUTINE:
            import asyncio

            asyncio.run(eval(code, vars(main)))  # noqa: S307 - the very purpose
        else:
            exec(code, vars(main))  # noqa: S102 - likewise
    except Exception as error:
        sys.stdout.write(f"{error}\n")
        raise


if __name__ == "__main__":
    task = json.load(sys.stdin)
    run(task["program"], task["host"], task["blocked"])
