"""What a pool is made of, as values: workers, requests, and what is told of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doublevm.errors import PoolRefused

Recycling = Literal["executions", "memory", "idle", "spent", "flood", "failed"]


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool at one moment, and what it has done since it was made."""

    active: int
    """Workers that are serving a run or a session."""
    idle: int
    """Workers that wait for a run, those included that are being started."""
    queued: int
    """Requests that wait for a worker."""
    started: int
    """Pairs of VMs that were started."""
    recycled: Mapping[str, int]
    """Pairs that were ended, by reason: ``executions``, ``memory``, ``idle``, ``spent`` (the guest
    was killed and could not be replaced), ``flood``, ``failed``."""
    refused: Mapping[str, int]
    """Requests that were refused, by reason: ``full``, ``timeout``, ``closed``."""
    memory_measured: bool
    """Whether the memory of workers can be measured here."""


@dataclass(eq=False, slots=True)
class Worker:
    """A place for one pair. A cold one has none yet, or one that has to be replaced."""

    place: Any
    """The driver's: what holds the pair."""
    cold: bool = True
    runs: int = 0
    """Runs of its pair."""
    idle_since: float = 0.0


@dataclass(eq=False, slots=True)
class Ticket:
    """One request: it waits, has a worker, or has ended."""

    deadline: float
    signal: Any
    """The driver's: what its requester waits for."""
    worker: Worker | None = None
    refusal: PoolRefused | None = None
    ended: bool = False


@dataclass(slots=True)
class Orders:
    """What the driver has to do now, in any order."""

    wake: list[Ticket] = field(default_factory=list)
    """Their requesters: they have a worker, or a refusal."""
    warm: list[Worker] = field(default_factory=list)
    """Give them a pair in the background."""
    end: list[Worker] = field(default_factory=list)
    """End their pairs for good."""
