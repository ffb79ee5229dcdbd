"""Programs that mean no harm, of the kind that models write: what a level must let through.

They are this folder's programs over tools, the corpus that both engines have to run alike, and the
programs of the examples.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.differential.corpus import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Harmless:
    """One program, and the tools that it knows of."""

    id: str
    source: str
    tools: tuple[str, ...] = ()


def _over_tools() -> Iterator[Harmless]:
    for path in sorted((Path(__file__).parent / "harmless").glob("*.toml")):
        for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
            yield Harmless(f"{path.stem}-{name}", entry["source"], tuple(entry["tools"]))


def _examples() -> Iterator[Harmless]:
    for path in sorted(ROOT.glob("examples/*/program.py")):
        tools = path.with_name("tools.py").read_text(encoding="utf-8")
        names = re.findall(r"^(?:async )?def (\w+)\(", tools, re.MULTILINE)
        yield Harmless(path.parent.name, path.read_text(encoding="utf-8"), tuple(names))


OVER_TOOLS: Final = tuple(_over_tools())
ALL: Final = (*OVER_TOOLS, *(Harmless(c.id, c.source) for c in CASES), *_examples())
