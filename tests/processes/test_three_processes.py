"""What ``ps`` shows during a run, and what the VM processes have of their host: nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from doublevm.jail.identity import FIRST_UID, GUEST_NICENESS
from tests.support.procfs import host_of, open_descriptors, read_limits

if TYPE_CHECKING:
    from tests.processes.conftest import Pause

MARKER = "DOUBLEVM_TEST_MARKER"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="an undumpable process is root's to see")


@pytest.fixture(autouse=True)
def marked_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARKER, "a secret of the host")


@pytest.mark.parametrize("engine", ["monty"], indirect=True)
def test_host_parent_and_inner_are_three_processes(pause: Pause) -> None:
    assert {p.pid for p in pause.everything} == {pause.parent.pid, pause.inner.pid}
    assert host_of(pause.parent) == os.getpid()
    assert pause.inner.parent == pause.parent.pid


@pytest.mark.parametrize("engine", ["cpython"], indirect=True)
def test_a_cpython_guest_has_its_template_between(pause: Pause) -> None:
    (template,) = [process for process in pause.everything if process.is_template]
    assert len(pause.everything) == 3
    assert host_of(pause.parent) == os.getpid()
    assert template.parent == pause.parent.pid
    assert pause.inner.parent == template.pid


def test_both_run_below_the_hosts_priority(pause: Pause) -> None:
    host = os.nice(0)
    assert pause.parent.nice == pause.inner.nice == host + GUEST_NICENESS


def test_both_are_in_a_group_of_their_own(pause: Pause) -> None:
    assert pause.parent.group == pause.inner.group == pause.parent.pid


@needs_root
def test_neither_has_the_hosts_environment(pause: Pause) -> None:
    twin = Path(f"/proc/{os.getpid()}/environ")
    assert twin.exists()
    assert MARKER in os.environ
    for process in (pause.parent, pause.inner):
        environment = (process.folder / "environ").read_bytes()
        assert MARKER.encode() not in environment
        assert environment in (b"", b"LC_CTYPE=C.UTF-8\0")


@needs_root
def test_neither_has_a_descriptor_of_the_host(pause: Pause) -> None:
    host = set(open_descriptors(os.getpid()).values())
    sockets = {link for link in host if link.startswith("socket:")}
    for process in (pause.parent, pause.inner):
        links = open_descriptors(process.pid)
        files = (
            {link for link in links.values() if link.startswith("/")} - {"/dev/null"} - pause.usage
        )
        assert files == set(), f"{process.arguments[0]} has {files}"
        # pydantic-monty talks to its worker through a socket of its own.
        assert sockets.isdisjoint(links.values())
        for fd in (0, 1, 2):
            assert links.get(fd) in (None, "/dev/null") or links[fd].startswith("pipe:")
    # The host's own ends are the only pipes it shares with the parent VM; none with the inner VM.
    inner = {link for link in open_descriptors(pause.inner.pid).values() if "pipe:" in link}
    assert inner.isdisjoint(host)


@needs_root
def test_neither_stands_in_the_hosts_folder(pause: Pause) -> None:
    assert str((pause.parent.folder / "cwd").readlink()) == "/"
    assert str((pause.inner.folder / "cwd").readlink()) == "/"


@needs_root
@pytest.mark.parametrize("engine", ["cpython"], indirect=True)
def test_the_cpython_inner_vm_is_limited(pause: Pause) -> None:
    limits = read_limits(pause.inner.pid)
    for name in ("open files", "processes", "file size", "core file size"):
        assert limits[name] == ("0", "0")
    soft, hard = limits["data size"]
    assert 0 < int(soft) == int(hard) < 1 << 30
    assert int(limits["cpu time"][0]) < 120
    twin = read_limits(os.getpid())
    assert twin["open files"][0] != "0"


@needs_root
@pytest.mark.parametrize("engine", ["cpython"], indirect=True)
def test_the_cpython_inner_vm_has_a_uid_of_its_own(pause: Pause) -> None:
    status = (pause.inner.folder / "status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    expected = str(FIRST_UID + pause.inner.parent)  # its template took it
    assert fields["Uid"].split() == [expected] * 4
    assert fields["Gid"].split() == [expected] * 4
    assert fields["Groups"].strip() == ""
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 0
    # Not dumpable: its files under /proc belong to root, not to its uid.
    assert (pause.inner.folder / "environ").stat().st_uid == 0
