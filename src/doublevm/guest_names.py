"""How a guest writes an operation's name: ``users:list`` is called as ``users.list(…)``."""

from __future__ import annotations

import keyword
import re
from typing import Any, Final

CALL_TOOL: Final = "call_tool"
"""The guest function that takes any operation name."""


def guest_path(operation: str) -> tuple[str, ...] | None:
    """Return the parts of the name as the guest writes it, or None if only call_tool reaches it."""
    parts = tuple(re.split(r"[.:]", operation))
    fits = all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)
    return parts if fits else None


def spread_call_tool(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Read ``call_tool("users:list", {"limit": 10})``; arguments may also be given by name.

    Raises:
        TypeError: it is not such a call, so no operation was attempted.
    """
    name, given = (*args, None, None)[:2]
    given = {} if given is None else given
    if not isinstance(name, str) or not isinstance(given, dict) or len(args) > 2:  # noqa: PLR2004
        raise TypeError("call_tool takes an operation's name and a dict of its arguments")
    if not all(isinstance(key, str) for key in given):
        raise TypeError("call_tool takes a dict whose keys are the arguments' names")
    return name, (), {**given, **kwargs}
