"""How much memory a pair's processes hold, as far as the kernel tells everybody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def members(group: int) -> tuple[int, ...]:
    """Return the processes of a process group; empty where the kernel does not tell."""
    try:
        entries = [entry.name for entry in _PROC.iterdir() if entry.name.isdigit()]
    except OSError:
        return ()
    return tuple(int(entry) for entry in entries if _group(entry) == group)


def held(pids: tuple[int, ...]) -> int | None:
    """Return the bytes that processes have to themselves; None if one cannot be asked.

    Resident pages less those of files: what is left has been written to. ``smaps_rollup`` would
    know better which pages are shared with others, but a sealed process lets nobody read it.
    """
    total = 0
    try:
        for pid in pids:
            resident, shared = (_PROC / str(pid) / "statm").read_text().split()[1:3]
            total += (int(resident) - int(shared)) * _PAGE
    except (OSError, ValueError):
        return None
    return total if pids else None


def _group(pid: str) -> int | None:
    try:
        fields = (_PROC / pid / "stat").read_text().rpartition(")")[2].split()
        return int(fields[2])
    except (OSError, ValueError, IndexError):
        return None
