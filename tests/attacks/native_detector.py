"""A detector that runs probes: detectors are the one code of others that a parent VM runs.

It is sent by value, as every detector is. What it has found is told by the only thing that is shown
of what it returns: the name of its type.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ANSWER: Final = re.compile(r"(?:yes|no)_\w*")


def detector(prelude: str, rests: Sequence[str]) -> Callable[[str, Any, Any], Any]:
    """Return a detector that runs the probe whose number it is asked about."""

    def detect(_name: str, args: Any, _history: Any) -> Any:
        (number,) = args.values()
        names: dict[str, Any] = {}
        exec(prelude, names)  # noqa: S102 - the purpose
        exec(rests[number], names)  # noqa: S102 - the purpose
        return type(names["result"], (), {})()

    return detect


def answer_in(text: str) -> str:
    """Find what the detector's type was called in a denial."""
    found = _ANSWER.search(text)
    return found[0] if found else f"no__{text}"
