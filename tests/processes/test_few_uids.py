"""A host that is root in a user namespace with few uids, as in a rootless container.

Its VMs share a uid; so no limit may count the processes of that.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from doublevm.jail import namespaces

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or namespaces.available() is not None,
    reason="takes a root that may make user namespaces",
)

IN_A_ROOTLESS_CONTAINER = """
import ctypes, os, sys

CLONE_NEWUSER = 0x1000_0000
inside, outside = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    assert ctypes.CDLL(None).unshare(CLONE_NEWUSER) == 0
    os.write(inside[1], b"!")
    os.read(outside[0], 1)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
os.read(inside[0], 1)
for name in ("uid_map", "gid_map"):
    with open(f"/proc/{child}/{name}", "w") as rows:
        rows.write("0 0 65536")
os.write(outside[1], b"!")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

RUN = """
import doublevm.host.confinement as confinement
from doublevm import Enclave

confinement._missing = {missing!r}
with Enclave(engine="cpython") as one, Enclave() as two:
    print(one.run("40 + 2").unwrap(), one.run("import os\\nos.getuid()").unwrap())
    print(two.run("40 + 2").unwrap(), two.run("import heapq\\n40 + 2").unwrap())
    print(one.run("import os\\nos.fork()").error.type)
"""


def in_a_rootless_container(code: str) -> str:
    command = [sys.executable, "-c", IN_A_ROOTLESS_CONTAINER, code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("missing", [{}, {"namespaces": "not allowed"}], ids=["full+", "full"])
def test_both_engines_run(missing: dict[str, str]) -> None:
    said = in_a_rootless_container(RUN.format(missing=missing))
    assert said == "42 65535\n42 42\nPermissionError\n"


def test_the_doctor_says_so() -> None:
    said = in_a_rootless_container(
        "from doublevm.cli.doctor import look_for_own_uid; print(look_for_own_uid().reason)"
    )
    assert said == "uids are few in this user namespace: VMs share one\n"
