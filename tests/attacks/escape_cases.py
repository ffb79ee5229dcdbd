"""The corpus of known escapes, loaded from the TOML files beside this module, one per family.

A case is a program that tries to reach a **canary**: something that a guest must never reach. It is
written so that it does reach it in an ordinary Python process, which its **control** shows::

    [[case]]
    id = "subclasses_of_object"
    source = "pyjail write-ups: class walk"  # where the technique is known from
    canary = "file"
    program = '''
    ...
    '''
    control = false  # it needs something that only doublevm has …
    reason = "…"  # … namely this

What is there for a program to reach, at fixed places of the outer jail, is in ``canaries.py``.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

Engine = Literal["monty", "cpython"]
Kind = Literal["file", "write", "environment", "command", "connection", "host", "signal"]

ENGINES: Final[tuple[Engine, ...]] = ("monty", "cpython")
_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Escape:
    """A hostile program."""

    family: str
    id: str
    source: str
    """Where the technique is known from."""
    program: str
    canary: Kind
    control: bool = True
    """Whether the program reaches its canary in an ordinary process."""
    reason: str = ""
    """Why it does not, or why an engine is left out."""
    engines: tuple[Engine, ...] = ENGINES

    @property
    def name(self) -> str:
        """What a test report calls it."""
        return f"{self.family}-{self.id}"


@dataclass(frozen=True, kw_only=True)
class Twin:
    """A harmless program that uses what a family of escapes uses."""

    id: str
    family: str
    program: str
    value: Any
    engines: tuple[Engine, ...] = ENGINES
    reason: str = ""
    """Why an engine is left out."""


def _load_escapes() -> tuple[Escape, ...]:
    escapes = []
    for path in sorted((_FOLDER / "escapes").glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["case"]:
            engines = tuple(entry.pop("engines", ENGINES))
            escapes.append(Escape(family=path.stem, engines=engines, **entry))
    return tuple(escapes)


def _load_twins() -> tuple[Twin, ...]:
    text = (_FOLDER / "escape_twins.toml").read_text(encoding="utf-8")
    return tuple(
        Twin(engines=tuple(entry.pop("engines", ENGINES)), **entry)
        for entry in tomllib.loads(text)["twin"]
    )


ESCAPES: Final = _load_escapes()
TWINS: Final = _load_twins()

BATCHES: Final = 6
"""Into so many the corpus is divided: each is run in one jail, as a jail takes a while to make."""


def batch_of(escape: Escape) -> int:
    """Return the batch that a case is in."""
    return ESCAPES.index(escape) % BATCHES
