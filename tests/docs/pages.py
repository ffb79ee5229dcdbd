"""The blocks of code on the pages, found by their fences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    found = []
    for path in PAGES:
        source = path.read_text(encoding="utf-8")
        for match in _FENCE.finditer(source):
            if match.group(1) in languages:
                line = source.count("\n", 0, match.start(2)) + 1
                page = str(path.relative_to(ROOT))
                found.append(Block(page, line, match.group(1), match.group(2)))
    return found


def python_pages() -> dict[str, list[Block]]:
    pages: dict[str, list[Block]] = {}
    for block in blocks("python"):
        pages.setdefault(block.page, []).append(block)
    return pages
