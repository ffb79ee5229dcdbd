"""What the kernel says of this process and of those below it: memory and CPU time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_KIB: Final = 1024
_FIELDS: Final = {"uss": ("Private_Clean", "Private_Dirty", "Private_Hugetlb"), "pss": ("Pss",)}
"""USS is what would be freed if the process ended; PSS adds its share of what it has in common."""


def memory(pid: int) -> dict[str, int]:
    """Return USS and PSS of a process, from /proc/PID/smaps_rollup; nothing if it has gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return dict.fromkeys(_FIELDS, 0)
    rows = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return {name: _KIB * sum(rows[part] for part in parts) for name, parts in _FIELDS.items()}


def memory_of_this() -> dict[str, int]:
    """Return the bytes of this process."""
    return memory(os.getpid())


def memory_below() -> dict[str, int]:
    """Return the bytes of all processes below this one: parent VMs, templates, guests, workers."""
    each = [memory(pid) for pid in started_below()]
    return {name: sum(one[name] for one in each) for name in _FIELDS}


class CpuWatch:
    """The CPU time that host, parent VM and inner VM take from now on."""

    def __init__(self) -> None:
        """Begin: what started last is the inner VM, what started before it the parent VM."""
        self._below = started_below()
        self._before = {pid: cpu_time(pid) for pid in self._below}
        # Last, and read first below: looking takes this process's own time.
        self._own = cpu_time(os.getpid())

    def taken(self, role: str) -> float:
        """Return the seconds of ``host``, ``parent VM`` or ``inner VM``."""
        if role == "host":
            return cpu_time(os.getpid()) - self._own
        those = self._below[-1:] if role == "inner VM" else self._below[:-1]
        return sum(cpu_time(pid) - self._before[pid] for pid in those)


def cpu_time(pid: int) -> float:
    """Return the seconds that all threads of a process ran, from their schedstat: to the ns."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((thread / "schedstat").read_text().split()[0])
        except OSError:  # a thread that has ended
            continue
    return total / 1e9


def started_below() -> list[int]:
    """Return the processes below this one, in the order in which they were started."""
    below: dict[int, list[tuple[int, int]]] = {}
    for pid, parent, started in _living():
        below.setdefault(parent, []).append((started, pid))
    found: list[tuple[int, int]] = []
    todo = [os.getpid()]
    while todo:
        children = below.get(todo.pop(), [])
        found += children
        todo += [pid for _, pid in children]
    return [pid for _, pid in sorted(found)]


def _living() -> list[tuple[int, int, int]]:
    """Return pid, parent and time of start of every process that is no zombie."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The command in brackets may hold spaces and brackets: see proc_pid_stat(5).
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX":
            found.append((int(entry.name), int(fields[1]), int(fields[19])))
    return found
