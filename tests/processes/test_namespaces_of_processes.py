"""Where there are namespaces, a VM process is alone: no files, no network, nobody to name."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from doublevm.jail import namespaces
from tests.support.procfs import (
    Process,
    adopt_orphans,
    descendants,
    inner_vms,
    is_alive,
    parent_vms,
    reap_adopted,
    wait_until,
)

if TYPE_CHECKING:
    from tests.processes.conftest import Pause

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or namespaces.available() is not None,
    reason="looks into other uids' processes, and into namespaces",
)

KINDS: Final = ("cgroup", "ipc", "mnt", "net", "pid", "uts")


def namespace(process: Path, kind: str) -> Path:
    return (process / "ns" / kind).readlink()


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_out_of_the_hosts_namespaces(pause: Pause, kind: str) -> None:
    hosts = namespace(Path("/proc/self"), kind)
    for process in (pause.parent, pause.inner):
        assert namespace(process.folder, kind) != hosts


@pytest.mark.parametrize("engine", ["cpython"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
def test_a_guest_is_out_of_its_parent_vms_as_well(pause: Pause, kind: str) -> None:
    assert namespace(pause.parent.folder, kind) != namespace(pause.inner.folder, kind)


def test_each_sees_no_file(pause: Pause) -> None:
    for process in (pause.parent, pause.inner):
        assert list((process.folder / "root").iterdir()) == []


def test_each_has_few_to_name(pause: Pause) -> None:
    """The parent VM is number 1 among those it has started; so is a template."""

    def number(process: Process) -> list[str]:
        status = (process.folder / "status").read_text()
        return status.partition("\nNSpid:")[2].split("\n")[0].split()

    assert number(pause.parent)[-1] == "1"
    assert int(number(pause.inner)[-1]) < 10


def test_no_capability_is_left(pause: Pause) -> None:
    for process in (pause.parent, pause.inner):
        rows = (process.folder / "status").read_text().splitlines()
        sets = [row.split()[1] for row in rows if row.startswith("Cap")]
        assert set(sets) == {"0" * 16}


HOST: Final = """
from doublevm import Enclave

with Enclave(engine="{engine}") as enclave:
    enclave.run("while True: pass")
"""


@pytest.mark.parametrize("engine", ["monty", "cpython"])
def test_all_die_with_their_parent_vm(engine: str) -> None:
    """Also where nobody is left to do anything about it."""
    adopt_orphans()  # a group of orphans with a stopped one among them gets a SIGHUP
    others = frozenset(process.pid for process in descendants())
    host = subprocess.Popen([sys.executable, "-c", HOST.format(engine=engine)])
    stopped: list[int] = []
    try:
        assert wait_until(lambda: inner_vms(host.pid))
        (guest,), (parent,) = inner_vms(host.pid), parent_vms(host.pid)
        template = [process.pid for process in descendants(host.pid) if process.is_template]
        stopped += [*template, host.pid]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        os.kill(parent.pid, signal.SIGKILL)
        assert wait_until(lambda: not any(map(is_alive, (guest.pid, *template))))
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        host.kill()
        host.wait()
        wait_until(lambda: not any(map(is_alive, stopped)))
        reap_adopted(others)
