"""Descriptors and memory: what the host has open, and lets its children inherit, stays its own."""

from __future__ import annotations

import os
import socket
import tempfile
from typing import TYPE_CHECKING

import pytest

from tests.support.procfs import open_descriptors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.processes.conftest import Pause

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an undumpable process is root's to see")


def kinds(descriptors: Iterable[str]) -> set[str]:
    return {target.split(":")[0] for target in descriptors}


def pipes(pid: int) -> set[str]:
    return {target for target in open_descriptors(pid).values() if target.startswith("pipe:")}


def without_usage(found: dict[int, str], pair: Pause) -> dict[int, str]:
    """Leave out what tells the parent VM how much its monty worker has used."""
    return {fd: target for fd, target in found.items() if target not in pair.usage}


def test_inheritable_descriptors_are_not_inherited(
    paused: Callable[..., Pause], engine: str
) -> None:
    with tempfile.NamedTemporaryFile() as file, socket.create_server(("127.0.0.1", 0)) as server:
        for fd in (file.fileno(), server.fileno()):
            os.set_inheritable(fd, True)
        pair = paused(engine)
        mine = open_descriptors(os.getpid())
        ours = {mine[file.fileno()], mine[server.fileno()]}
        for process in (pair.parent, pair.inner):
            found = without_usage(open_descriptors(process.pid), pair)
            assert ours.isdisjoint(found.values())
            assert kinds(found.values()) <= {"/dev/null", "pipe", "anon_inode", "socket"}


def test_the_cpython_guest_has_two_pipes_and_nothing_else(paused: Callable[..., Pause]) -> None:
    found = open_descriptors(paused("cpython").inner.pid)
    assert [found.pop(fd) for fd in (0, 1, 2)] == ["/dev/null"] * 3
    assert [target.split(":")[0] for target in found.values()] == ["pipe", "pipe"]


def test_the_inner_vm_has_no_way_to_the_host(pause: Pause) -> None:
    host = pipes(os.getpid())
    assert host.isdisjoint(pipes(pause.inner.pid))
    assert len(host & pipes(pause.parent.pid)) == 2  # the twin


def test_no_other_process_of_its_user_can_read_its_memory(paused: Callable[..., Pause]) -> None:
    inner = paused("cpython").inner
    assert (inner.folder / "mem").stat().st_uid == 0
    # The twin: its status tells another user, to whom these files would belong otherwise.
    assert "\nUid:\t0" not in (inner.folder / "status").read_text()
