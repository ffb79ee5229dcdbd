"""Sorts the mutants that no test killed: explained in ``equivalent.toml``, or not.

Run by ``make mutate`` in the folder that holds ``mutants/``. Ends with 1 if one is not explained. A
mutant is known by its function and its change, not by its number, which moves with every edit.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

EXPLAINED = Path(__file__).with_name("equivalent.toml")
KILLED = (1, 3)
"""What pytest ends with when a test failed. A timeout kills as well."""
TIMEOUT = (24, -24, 36, 152)
NOT_RUN = None
_TEXT = re.compile(r'f?"[^"]*"')


@dataclass(frozen=True)
class Mutant:
    function: str
    """As in ``doublevm.state.from_wire``."""
    was: str
    became: str

    def is_prose(self) -> bool:
        """Whether only a sentence changed: reasons and messages are no contract.

        A sentence has a blank in it. Addresses and what else programs compare have none. The words
        of an f-string are never mutated, only the values in it; and these are no prose.
        """
        if self.became == _TEXT.sub("None", self.was, count=1):  # raise StateError(None)
            return self.was.startswith("raise ") and _is_sentence(_TEXT.findall(self.was)[0])
        before, after = _TEXT.findall(self.was), _TEXT.findall(self.became)
        changed = [old for old, new in zip(before, after, strict=False) if old != new]
        same_code = _TEXT.sub('""', self.was) == _TEXT.sub('""', self.became)
        return same_code and all(map(_is_sentence, changed))


def _is_sentence(text: str) -> bool:
    return " " in text and not text.startswith("f")


def _function(key: str) -> str:
    """Turn mutmut's ``doublevm.audit.xǁAuditRecordǁsealed__mutmut_3`` back."""
    module, _, mangled = key.rpartition("__mutmut_")[0].rpartition(".")
    return f"{module}.{mangled.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


def _mutant(key: str, source: Path) -> Mutant:
    diff = importlib.import_module("mutmut.mutation.diff_apply").get_diff_for_mutant
    lines = diff(key, path=source).splitlines()[2:]
    was, became = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return Mutant(_function(key), was, became)


def main() -> int:
    entries = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["mutant"]
    explained = {Mutant(each["function"], each["was"], each["became"]) for each in entries}
    failed = False
    for meta in sorted(Path("mutants/src").rglob("*.py.meta")):
        source = meta.relative_to("mutants").with_suffix("")
        codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
        counts = Counter[str]()
        for key, code in codes.items():
            if code in (*KILLED, *TIMEOUT, NOT_RUN):
                counts["not run" if code is NOT_RUN else "killed"] += 1
                continue
            mutant = _mutant(key, source)
            why = "explained" if mutant in explained else "prose" if mutant.is_prose() else ""
            if code != 0:  # pytest itself went wrong, or no test comes by: nothing is known
                why = ""
            counts[why or "unexplained"] += 1
            if not why:
                failed = True
                print(f"{key} ({code})\n    - {mutant.was}\n    + {mutant.became}")  # noqa: T201
        if codes:
            summary = ", ".join(f"{count} {what}" for what, count in counts.items())
            print(f"{source}: {len(codes)} mutants: {summary}")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
