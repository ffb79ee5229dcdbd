"""VM processes that a test starts by a command, in the place of those that a zygote forks."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from doublevm.engines.template import TemplateProcess, template_pipes
from doublevm.host.processes import PairProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def start_pair(command: Callable[[int, int], list[str]]) -> PairProcess:
    """Start a parent VM that is told its two descriptors."""
    read_fd, parent_writes = os.pipe()
    parent_reads, write_fd = os.pipe()
    pid = _start(command(parent_reads, parent_writes), (parent_reads, parent_writes))
    return PairProcess((read_fd, write_fd), pid, os.pidfd_open(pid), _status)


def start_template(command: Callable[..., list[str]]) -> TemplateProcess:
    """Start a template that is told its four descriptors."""
    ours, theirs = template_pipes()
    return TemplateProcess(_start(command(*theirs), theirs), ours)


def _status(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _start(command: list[str], fds: Sequence[int]) -> int:
    process = subprocess.Popen(
        command,
        pass_fds=tuple(fds),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        process_group=0,
    )
    for fd in fds:
        os.close(fd)
    process.returncode = 0  # it is waited for by pid
    return process.pid
