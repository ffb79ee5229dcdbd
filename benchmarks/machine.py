"""Which machine it was: a time means nothing without it."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from benchmarks.contenders import versions


def machine() -> dict[str, str]:
    """Return what a page names the machine by."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"^model name\s*: (.+)$", info, re.MULTILINE)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "CPU": model.group(1).strip() if model else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        **versions(),
    }
