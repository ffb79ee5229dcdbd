"""A case of the fuzzer: who lies, to whom, and the bytes. It can be kept in a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

Target = Literal["guest", "parent", "bytes", "source"]
"""``guest``: an inner VM lies to the parent VM. ``parent``: a parent VM lies to the host.
``bytes``: the decoders get bytes, with nobody behind them. ``source``: a program is read."""


@dataclass(frozen=True)
class Chunk:
    """What arrives at once."""

    data: bytes
    early: bool = False
    """Whether it arrives before the other side has answered, which an honest VM waits for."""


@dataclass(frozen=True)
class Case:
    """One attack."""

    target: Target
    profile: int
    """Which host is attacked; see ``tools.py``."""
    session: bool
    lives: tuple[tuple[Chunk, ...], ...]
    """What each process sends that is started; when nothing is left it ends."""

    def write(self, path: Path) -> None:
        """Keep it in a file."""
        lives = [[[chunk.data.hex(), chunk.early] for chunk in life] for life in self.lives]
        fields = {"target": self.target, "profile": self.profile, "session": self.session}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(fields | {"lives": lives}) + "\n")

    @staticmethod
    def read(path: Path) -> Case:
        """Return the case that a file has."""
        fields = json.loads(path.read_text())
        lives = tuple(
            tuple(Chunk(bytes.fromhex(data), early) for data, early in life)
            for life in fields.pop("lives")
        )
        return Case(**fields, lives=lives)
