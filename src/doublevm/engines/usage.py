"""CPU time and memory of another process, read from /proc where there is one."""

from __future__ import annotations

import os
from pathlib import Path

from doublevm.wire.frames import Usage


def read_usage(pid: int) -> Usage:
    """Return what process ``pid`` has used since it began; zeros where that cannot be read."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return Usage(0.0, 0)
    # The second field is the command in brackets and may hold spaces; utime and stime are the
    # 14th and 15th of proc_pid_stat(5).
    fields = stat.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    peak = next((row.split()[1] for row in status.splitlines() if row.startswith("VmHWM:")), "0")
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), int(peak) * 1024)
