"""How far the operating system confines the VMs: the mechanisms, and the rungs of the ladder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MECHANISMS: Final = {
    "limits": "no new files, processes or threads; memory and CPU are capped",
    "seccomp": "the kernel refuses every system call that a VM does not need",
    "landlock": "the kernel refuses every file, TCP connection and signal to others",
    "namespaces": "an empty root folder, no network, no capability, no process of others",
}
"""What each mechanism does, in the order they are built upon each other."""


class Rung(IntEnum):
    """How much is in force; a higher rung has everything that lower ones have."""

    NONE = 0
    """Processes of their own, and nothing else."""
    MINIMAL = 1
    """Limits, an empty environment, no descriptor of the host's."""
    REDUCED = 2
    """And seccomp."""
    FULL = 3
    """And Landlock."""
    FULL_PLUS = 4
    """And namespaces."""

    @property
    def label(self) -> str:
        """The rung's name: ``none``, ``minimal``, ``reduced``, ``full`` or ``full+``."""
        return self.name.lower().replace("_plus", "+")


WARN_BELOW: Final = Rung.REDUCED
"""Below it, an enclave that runs at all does so with a warning."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What confines the VMs on this machine, found out by trying."""

    missing: Mapping[str, str]
    """Mechanisms that are not in force, each with the reason."""

    @property
    def in_force(self) -> tuple[str, ...]:
        """Mechanisms that are in force."""
        return tuple(name for name in MECHANISMS if name not in self.missing)

    @property
    def rung(self) -> Rung:
        """The highest rung with nothing missing up to it."""
        for number, name in enumerate(MECHANISMS):
            if name in self.missing:
                return Rung(number)
        return Rung.FULL_PLUS

    def lacks(self, weakest: Rung) -> str:
        """Say what is missing up to the rung ``weakest``, and why; empty if nothing is."""
        wanted = list(MECHANISMS)[: weakest.value]
        return "; ".join(f"{name}: {self.missing[name]}" for name in wanted if name in self.missing)
