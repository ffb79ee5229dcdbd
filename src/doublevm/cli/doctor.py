"""What ``doublevm doctor`` finds out: what confines VMs here, and what each level says to it."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from doublevm.confinement import WARN_BELOW, Confinement
from doublevm.host.confinement import probe_here
from doublevm.launch import monty_binary
from doublevm.levels import SecurityLevel

if TYPE_CHECKING:
    from doublevm.wire.frames import EngineName

ENGINES: Final[tuple[EngineName, ...]] = ("monty", "cpython")
_NEEDED_OF_ROOT: Final = {5: "CAP_KILL", 6: "CAP_SETGID", 7: "CAP_SETUID"}
"""Numbers are those of linux/capability.h."""

Answer = Literal["accepted", "warning", "refused"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a security level says to an engine on this machine."""

    answer: Answer
    reason: str = ""
    """Why it is not accepted without a word."""


@dataclass(frozen=True, slots=True)
class OwnUid:
    """Whether VMs get user ids of their own."""

    given: bool
    reason: str
    fatal: bool = False
    """Whether VMs cannot be started at all, as they ought to get one and cannot."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything the doctor has found."""

    confinement: Confinement
    own_uid: OwnUid
    monty: str | None
    """The path of the monty worker, if it is installed."""
    system: str
    """``Linux``, ``Darwin``, ``Windows``, …"""
    kernel: str
    machine: str
    python: str

    def verdict(self, level: SecurityLevel, engine: EngineName) -> Verdict:
        """Return what ``level`` says to ``engine`` here, as an enclave would."""
        if self.system == "Windows":
            return Verdict("refused", "VMs do not start on Windows")
        if self.own_uid.fatal:
            return Verdict("refused", f"no uid for the VMs: {self.own_uid.reason}")
        if engine == "monty" and self.monty is None:
            return Verdict("refused", "its worker is not installed")
        weakest = level.settings.weakest[engine]
        if lacks := self.confinement.lacks(weakest):
            return Verdict("refused", f"asks for {weakest.label!r}; {lacks}")
        if lacks := self.confinement.lacks(WARN_BELOW):
            return Verdict("warning", lacks)
        return Verdict("accepted")

    @property
    def healthy(self) -> bool:
        """Whether the standard level runs both engines."""
        answers = (self.verdict(SecurityLevel.STANDARD, engine).answer for engine in ENGINES)
        return "refused" not in answers


def examine() -> Diagnosis:
    """Try what can be tried here.

    Raises:
        VMError: the process that tries the mechanisms failed.
    """
    return Diagnosis(
        confinement=probe_here(),
        own_uid=look_for_own_uid(),
        monty=monty_binary(),
        system=platform.system(),
        kernel=platform.release(),
        machine=platform.machine(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
    )


def look_for_own_uid() -> OwnUid:
    """Say whether VMs get user ids of their own, and try it where they should."""
    if sys.platform != "linux":
        return OwnUid(given=False, reason="it is of Linux only")
    if os.geteuid() != 0:
        return OwnUid(given=False, reason="the host is not root, so its VMs have its uid")
    # Linux's own
    from doublevm.jail.identity import take_own_uid, uids_are_plenty  # noqa: PLC0415
    from doublevm.jail.trial import reason_against  # noqa: PLC0415

    if reason := _missing_capabilities() or reason_against(lambda: _ignore(take_own_uid())):
        return OwnUid(given=False, reason=reason, fatal=True)
    if not uids_are_plenty():
        return OwnUid(given=False, reason="uids are few in this user namespace: VMs share one")
    return OwnUid(given=True, reason="the host is root")


def _ignore(_: object) -> None:
    pass


def _missing_capabilities() -> str:
    """Name those that root needs to start VMs of another uid, and to end them."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            held = int(line.split()[1], 16)
            missing = [name for bit, name in _NEEDED_OF_ROOT.items() if not held >> bit & 1]
            return f"root has no {', '.join(missing)} here" if missing else ""
    return ""
