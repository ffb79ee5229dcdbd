"""What /proc tells about the processes that a test has started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PR_SET_CHILD_SUBREAPER = 36
ZYGOTE, PARENT_VM, TEMPLATE = "dvm-zygote", "dvm-parent", "dvm-inner"
"""What the processes name themselves; guests have their template's name."""
MONTY = "subprocess"
"""What the worker is told; it is executed through a descriptor, so its path says nothing."""


@dataclass(frozen=True)
class Process:
    """One living process."""

    pid: int
    parent: int
    group: int
    nice: int
    name: str
    arguments: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return Path(f"/proc/{self.pid}")

    @property
    def is_zygote(self) -> bool:
        """Whether it is one of its host's, for as long as that lives."""
        return self.name == ZYGOTE

    @property
    def is_parent_vm(self) -> bool:
        """Whether it is one, and not what one has just forked."""
        if self.name != PARENT_VM:
            return False
        parent = _read(self.parent)
        return parent is None or parent.name != PARENT_VM

    @property
    def is_inner_vm(self) -> bool:
        """Whether it runs guests: a monty worker, or what a template has forked."""
        if self.name == TEMPLATE:
            parent = _read(self.parent)
            return parent is not None and parent.name == TEMPLATE
        return self.arguments[1:] == (MONTY,)

    @property
    def is_template(self) -> bool:
        return self.name == TEMPLATE and not self.is_inner_vm


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that none escapes notice."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def descendants(of: int | None = None) -> list[Process]:
    """Return the living processes below ``of``, by default below this one, but for zygotes."""
    return [process for process in all_below(of) if not process.is_zygote]


def all_below(of: int | None = None) -> list[Process]:
    """Return the living processes below ``of``, by default below this one."""
    root = os.getpid() if of is None else of
    below: dict[int, list[Process]] = {}
    for process in _living():
        below.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    todo = [root]
    while todo:
        children = below.get(todo.pop(), [])
        found += children
        todo += [child.pid for child in children]
    return found


def parent_vms(of: int | None = None) -> list[Process]:
    return [process for process in descendants(of) if process.is_parent_vm]


def inner_vms(of: int | None = None) -> list[Process]:
    return [process for process in descendants(of) if process.is_inner_vm]


def host_of(process: Process) -> int:
    """Return the pid of the process whose zygote has forked this one."""
    parent = _read(process.parent)
    while parent is not None and parent.is_zygote:
        process, parent = parent, _read(parent.parent)
    return process.parent


def is_alive(pid: int) -> bool:
    """Whether it exists and is no zombie."""
    return _read(pid) is not None


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    """Wait until it holds; return whether it did. Generous, as the machine may be busy."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def reap_adopted(spare: frozenset[int] = frozenset()) -> None:
    """Wait for children that have ended, except ``spare``."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in spare:
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if fields[0] == "Z" and int(fields[1]) == os.getpid():
                os.waitpid(int(entry.name), os.WNOHANG)
        except (OSError, ChildProcessError):
            continue


@contextlib.contextmanager
def none_left() -> Iterator[None]:
    """Wait for every process to end that is started within."""
    before = {process.pid for process in descendants()}
    yield
    gone = wait_until(lambda: {process.pid for process in descendants()} <= before)
    assert gone, f"still alive: {descendants()}"


def open_descriptors(pid: int) -> dict[int, str]:
    """Return what each descriptor of a process leads to."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except FileNotFoundError:  # the one that listed the folder
            continue
    return found


def read_limits(pid: int) -> dict[str, tuple[str, str]]:
    """Return the soft and hard limits of a process by the kernel's names for them."""
    text = Path(f"/proc/{pid}/limits").read_text()
    rows = re.findall(r"^Max (.+?)  +(\S+) +(\S+)", text, re.MULTILINE)
    return {name: (soft, hard) for name, soft, hard in rows}


def _living() -> Iterator[Process]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            process = _read(int(entry.name))
            if process is not None:
                yield process


def _read(pid: int) -> Process | None:
    try:
        # The command in brackets may hold spaces and brackets: see proc_pid_stat(5).
        before, _, after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        name, fields = before.partition("(")[2], after.split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    if fields[0] in "ZX":
        return None
    arguments = tuple(part.decode("utf-8", "replace") for part in command.split(b"\0")[:-1])
    return Process(pid, int(fields[1]), int(fields[2]), int(fields[16]), name, arguments)
