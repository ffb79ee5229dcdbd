"""How much memory a pair's processes hold, as far as the kernel tells everybody."""

from __future__ import annotations

import os
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def members(group: int) -> tuple[int, ...]:
    """Return the processes of a process group; empty where the kernel does not tell."""
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - Path keeps every name it has ever seen
    except OSError:
        return ()
    return tuple(int(name) for name in names if name.isdigit() and _group(name) == group)


def held(pids: tuple[int, ...]) -> int | None:
    """Return the bytes that processes have to themselves; None if one cannot be asked.

    Resident pages less those of files: what is left has been written to. ``smaps_rollup`` would
    know better which pages are shared with others, but a sealed process lets nobody read it.
    """
    total = 0
    try:
        for pid in pids:
            resident, shared = _read(pid, "statm").split()[1:3]
            total += (int(resident) - int(shared)) * _PAGE
    except (OSError, ValueError):
        return None
    return total if pids else None


def _read(pid: int | str, name: str) -> bytes:
    with open(f"/proc/{pid}/{name}", "rb") as file:  # noqa: PTH123 - as above
        return file.read()


def _group(pid: str) -> int | None:
    try:
        return int(_read(pid, "stat").rpartition(b")")[2].split()[2])
    except (OSError, ValueError, IndexError):
        return None
