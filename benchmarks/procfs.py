"""What the kernel says of this process and of those below it: memory and CPU time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_KIB: Final = 1024
_FIELDS: Final = {"uss": ("Private_Clean", "Private_Dirty", "Private_Hugetlb"), "pss": ("Pss",)}
"""USS is what would be freed if the process ended; PSS adds its share of what it has in common."""


def memory(pid: int, metric: str) -> int:
    """Return the bytes of a process, from /proc/PID/smaps_rollup; 0 if it has gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return 0
    rows = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return _KIB * sum(rows[name] for name in _FIELDS[metric])


def memory_of_this(metric: str) -> int:
    """Return the bytes of this process."""
    return memory(os.getpid(), metric)


def memory_below(metric: str) -> int:
    """Return the bytes of all processes below this one: parent VMs, templates, guests, workers."""
    return sum(memory(pid, metric) for pid in started_below())


def cpu_by_role() -> dict[str, float]:
    """Return the seconds of CPU time that host, parent VM and inner VM have taken."""
    below = started_below()
    taken = {"host": cpu_time(os.getpid()), "parent VM": 0.0, "inner VM": 0.0}
    for pid in below:
        taken["inner VM" if pid == below[-1] else "parent VM"] += cpu_time(pid)
    return taken


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
