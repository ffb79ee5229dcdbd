"""Which mechanisms work on this machine: found out by trying each in a child process.

Version numbers say little: containers, sandboxes around us and system policies forbid what the
kernel could do.
"""

from __future__ import annotations

import json
import sys


def probe() -> dict[str, str]:
    """Return the mechanisms that are missing here, each with the reason."""
    if sys.platform == "win32":
        reason = "Windows has none"
        return dict.fromkeys(("limits", "seccomp", "landlock", "namespaces"), reason)
    if sys.platform != "linux":
        return dict.fromkeys(("seccomp", "landlock", "namespaces"), "it is of Linux only")
    return _probe_linux()


def _probe_linux() -> dict[str, str]:
    try:
        # Linux's own
        from doublevm.jail import landlock, namespaces, seccomp  # noqa: PLC0415
    except OSError as error:  # a machine whose system calls are not known
        return dict.fromkeys(("seccomp", "landlock", "namespaces"), str(error))
    tried = {
        "seccomp": seccomp.available(),
        "landlock": landlock.available(),
        "namespaces": namespaces.available(),
    }
    return {name: reason for name, reason in tried.items() if reason is not None}


def main() -> None:
    """Print what is missing, as JSON."""
    sys.stdout.write(json.dumps(probe()))
