"""Makes a program of a probe: the prelude, which is the same for all, and the rest.

The rest is the facts it needs and its code; it sets ``result`` to what ``outcome`` says.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from doublevm.jail.syscalls import MACHINES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.attacks.native_cases import Probe

PRELUDE: Final = Path(__file__).with_name("native_prelude.py").read_text(encoding="utf-8")
_WORD: Final = re.compile(r'"(\w+)"')


def rest_of(probe: Probe, facts: Mapping[str, int]) -> str:
    """Return what comes after the prelude, in the same namespace."""
    numbers = {
        name: MACHINES[platform.machine()].numbers.get(name)
        for name in _WORD.findall(PRELUDE + probe.code)
    }
    known = {name: number for name, number in numbers.items() if number is not None}
    given = "\n".join(f"{name} = {value!r}" for name, value in facts.items())
    body = probe.code.replace("\n", "\n    ")
    return (
        f"NUMBERS.update({known!r})\n{given}\nthrough = None\n"
        f"try:\n    pass\n    {body}\n"
        "except Exception as error:\n    trace.append(type(error).__name__)\n"
        "result = outcome(through)\n"
    )
