"""What all frames are made of."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Number = Annotated[int, Meta(ge=0, le=2**53)]
Name = Annotated[str, Meta(max_length=1000)]
Line = Annotated[int, Meta(ge=0, le=2**31)]
EngineName = Literal["monty", "cpython"]
EngineChoice = Literal["auto", "monty", "cpython"]


class Frame(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every frame."""
