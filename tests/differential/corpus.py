"""The programs that every engine must run alike, loaded from the TOML files beside this module."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Case:
    """One program."""

    area: str
    """The file it stands in."""
    name: str
    source: str

    @property
    def id(self) -> str:
        """What a test report calls it."""
        return f"{self.area}-{self.name}"


def load() -> tuple[Case, ...]:
    """Read every file of the corpus."""
    folder = Path(__file__).parent / "cases"
    return tuple(
        Case(path.stem, name, entry["source"])
        for path in sorted(folder.glob("*.toml"))
        for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items()
    )


CASES: Final = load()
