"""Trying whether a confinement works here, without being confined oneself."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def reason_against(attempt: Callable[[], None], fork: Callable[[], int] = os.fork) -> str | None:
    """Run ``attempt`` in a forked child; return the reason it failed for, or None."""
    read_fd, write_fd = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forking with threads; this child takes no lock that one may be holding.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = fork()
    if pid == 0:
        _report(attempt, write_fd)
    os.close(write_fd)
    with open(read_fd, "rb") as answer:  # noqa: PTH123 - a descriptor has no path
        reason = answer.read().decode("utf-8", "replace")
    _, status = os.waitpid(pid, 0)
    if status == 0:
        return None
    return reason or f"the trial ended with {os.waitstatus_to_exitcode(status)}"


def _report(attempt: Callable[[], None], write_fd: int) -> None:
    """End the child, saying why the attempt failed if it did."""
    try:
        attempt()
        os._exit(0)
    # A trial that fails in whatever way has failed; its reason goes to the one who asked.
    except BaseException as error:  # noqa: BLE001
        os.write(write_fd, (str(error) or type(error).__name__).encode())
    os._exit(1)
