"""Sorts the mutants that mutmut could not kill: explained in ``equivalent.toml``, or not.

Run by ``make mutate`` in the folder where mutmut ran. Ends with 1 if one is not explained. A mutant
is known by its function and its change, not by its number, which moves with every edit.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

EXPLAINED = Path(__file__).with_name("equivalent.toml")
_LINE = re.compile(r"^\s+(\S+?)__mutmut_\d+: (survived|no tests|timeout|suspicious)$")


@dataclass(frozen=True)
class Mutant:
    function: str
    """As in ``doublevm.state.from_wire``."""
    was: str
    became: str

    @property
    def text(self) -> str:
        return f"{self.function}\n    - {self.was}\n    + {self.became}"


def _function(name: str) -> str:
    """Turn mutmut's name of a function, ``doublevm.audit.xǁAuditRecordǁsealed``, back."""
    module, _, mangled = name.rpartition(".")
    return f"{module}.{mangled.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


def _mutmut(*arguments: str) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _mutant(name: str, key: str) -> Mutant:
    shown = _mutmut("show", key).splitlines()
    changes = [line for line in shown if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    was, became = (
        " ".join(line[1:].strip() for line in changes if line.startswith(sign)) for sign in "-+"
    )
    return Mutant(_function(name), was, became)


def survivors() -> list[Mutant]:
    found = []
    for line in _mutmut("results").splitlines():
        if match := _LINE.match(line):
            key = line.strip().partition(":")[0]
            found.append(_mutant(match[1], key))
    return found


def main() -> int:
    entries = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["mutant"]
    explained = {Mutant(each["function"], each["was"], each["became"]) for each in entries}
    left = survivors()
    new = [mutant for mutant in left if mutant not in explained]
    for mutant in new:
        print(mutant.text)  # noqa: T201 - a report
    gone = len(explained - set(left))
    print(f"{len(left)} survived, {len(new)} of them unexplained; {gone} explained ones are gone")  # noqa: T201
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
