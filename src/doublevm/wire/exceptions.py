"""Exceptions that cross to the guest: by the name of a builtin type both engines have."""

from __future__ import annotations

import builtins
from typing import Final

CROSSING: Final = frozenset(
    (
        "ArithmeticError", "AssertionError", "AttributeError", "Exception", "FileExistsError",
        "FileNotFoundError", "ImportError", "IndexError", "IsADirectoryError", "KeyError",
        "LookupError", "ModuleNotFoundError", "NameError", "NotADirectoryError",
        "NotImplementedError", "OSError", "OverflowError", "PermissionError", "RecursionError",
        "RuntimeError", "TimeoutError", "TypeError", "ValueError", "ZeroDivisionError",
    )
)  # fmt: skip
"""Left out on purpose: MemoryError (it would look like the guest's own limit), StopIteration (it
would end a guest's loop), and types whose construction needs more than a message."""


def nearest(error: BaseException) -> tuple[str, str]:
    """Return the name of the nearest crossing type of an exception, and its message."""
    names = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
    name = next((name for name in names if name in CROSSING), "Exception")
    # str(KeyError("x")) is "'x'": taken as a message, each hop would add quotes.
    single = error.args[0] if len(error.args) == 1 and isinstance(error.args[0], str) else None
    return name, single if name == "KeyError" and single is not None else str(error)


def as_printed(name: str, message: str) -> str:
    """Return the last line of a traceback that ends in such an exception."""
    text = str(getattr(builtins, name, Exception)(message))
    return f"{name}: {text}" if text else name
