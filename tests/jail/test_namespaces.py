"""An empty root: nothing to read, nobody to talk to, nothing to be."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from doublevm.jail import namespaces
from doublevm.jail.trial import reason_against

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.jail.conftest import Stranger

REASON = namespaces.available()
pytestmark = pytest.mark.skipif(
    REASON is not None, reason=f"no user namespaces for this user here: {REASON}"
)
IMPORTS = (
    "os, signal, socket, sys; from doublevm.jail import identity, namespaces;"
    "from doublevm.jail.libc import prctl"
)
ENTER = """
try:
    namespaces.enter_empty_root()
except PermissionError as error:
    print("SKIP", error)
    sys.exit()
"""

# What is asked, what is found inside, and what in the control, which does not enter.
PROBES = {
    "the root folder is empty": ("print(len(os.listdir('/')) > 0)", "False", "True"),
    "there is no other folder": ("print(os.path.exists('/etc/passwd'))", "False", "True"),
    "the root is read-only": (
        "try:\n    os.mkdir('/probe')\nexcept OSError as error:\n    print(error.errno)",
        "30", "13",
    ),
    "the old working folder is gone": ("print(os.getcwd() == '/')", "True", "False"),
    "one interface, and it is down": (
        "print([name for _, name in socket.if_nameindex()])", "['lo']", None,
    ),
    "no way to itself": (
        "print(socket.socket().connect_ex(('127.0.0.1', 9)))", "101", "111",
    ),
    "the host's name cannot be changed": (
        "try:\n    socket.sethostname('x')\nexcept OSError as error:\n    print(error.errno)",
        "1", "1",
    ),
}  # fmt: skip
TWIN = """
import math
r, w = os.pipe()
os.write(w, b"x")
child = os.fork()
if child == 0:
    os._exit(os.read(r, 1)[0])
assert os.waitpid(child, 0)[1] >> 8 == ord("x")
print(math.factorial(5), os.getuid() == before)
"""


def inside(as_stranger: Callable[..., Stranger], code: str, *, enter: bool = True) -> str:
    text = "before = os.getuid()\n" + (ENTER if enter else "") + code
    done = as_stranger(text, imports=IMPORTS)
    if done.stdout.startswith("SKIP"):
        pytest.skip(f"no user namespaces for ordinary users here: {done.stdout[5:]}")
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize(("code", "found", "control"), PROBES.values(), ids=PROBES)
def test_inside(
    as_stranger: Callable[..., Stranger], code: str, found: str, control: str | None
) -> None:
    assert inside(as_stranger, code) == found


@pytest.mark.parametrize(("code", "found", "control"), PROBES.values(), ids=PROBES)
def test_the_control_stays_outside(
    as_stranger: Callable[..., Stranger], code: str, found: str, control: str | None
) -> None:
    if control is not None:
        assert inside(as_stranger, code, enter=False) == control


def test_computing_pipes_and_children_work(as_stranger: Callable[..., Stranger]) -> None:
    assert inside(as_stranger, TWIN) == "120 True"


def test_ids_stay_and_capabilities_go(as_stranger: Callable[..., Stranger]) -> None:
    """Read through a descriptor from before, as there is no /proc inside."""
    found = as_stranger(
        """
        uids, gids = os.getresuid(), os.getresgid()
        status = os.open("/proc/self/status", os.O_RDONLY)
        namespaces.enter_empty_root()
        rows = os.read(status, 9999).decode().splitlines()
        sets = dict(row.split()[:2] for row in rows if row.startswith(("Cap", "NoNewPrivs")))
        assert (os.getresuid(), os.getresgid()) == (uids, gids)
        assert sets.pop("NoNewPrivs:") == "1"
        print(len(sets), set(sets.values()))
        """,
        imports=IMPORTS,
    ).stdout.strip()
    assert found == "5 {'0000000000000000'}"


def test_it_keeps_undumpable_and_death_with_its_parent(
    as_stranger: Callable[..., Stranger],
) -> None:
    code = """
import ctypes
identity.die_with_parent(os.getppid())
identity.forbid_inspection()
namespaces.enter_empty_root()
found = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(found))
print(found.value, prctl(3))
"""
    done = as_stranger(code, imports=IMPORTS + "; import ctypes")
    assert done.stdout == "9 0\n", done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="this user is not root")
def test_root_keeps_its_uid_and_loses_its_power() -> None:
    assert reason_against(_enter_as_root) is None


def _enter_as_root() -> None:
    namespaces.enter_empty_root()
    assert os.geteuid() == 0
    assert not list(Path("/").iterdir())
    for refused in (lambda: os.setuid(5), lambda: os.chroot("/"), lambda: os.nice(-1)):
        try:
            refused()
        except OSError:
            continue
        raise AssertionError("root can still do that")


LATER = """
namespaces.enter_pids()
def first():
    swap = namespaces.enter()
    reads, writes = os.pipe()
    again, ask = os.pipe()
    worker = os.fork()
    if worker == 0:
        for _ in range(2):
            os.read(again, 1)
            os.write(writes, str(len(os.listdir("/"))).encode().ljust(4))
        os._exit(0)
    identity.drop_capabilities()
    found = []
    for step in (None, swap):
        if step is not None:
            step()
        os.write(ask, b"!")
        found += [len(os.listdir("/")) > 0, int(os.read(reads, 4)) > 0]
    s = socket.socket()
    s.settimeout(5)
    print(os.getpid(), *found, s.connect_ex(("127.0.0.1", 9)), flush=True)
    os._exit(0)
pid = os.fork()
if pid == 0:
    first()
os.waitpid(pid, 0)
"""


def test_the_root_is_taken_away_later(as_stranger: Callable[..., Stranger]) -> None:
    """For a process that has to start a program: it and the program have files, then neither."""
    done = as_stranger(LATER, imports=IMPORTS)
    assert done.stdout == "1 True True False False 101\n", done.stderr


def test_nobody_takes_the_root_away_from_a_swap_that_was_killed() -> None:
    def attempt() -> None:
        swap = namespaces.enter()
        os.kill(swap._pid, signal.SIGKILL)
        swap()

    reason = reason_against(attempt) or ""
    if os.geteuid() == 0:
        assert "root folder stays" in reason or "Broken pipe" in reason


PIDS = """
namespaces.enter_pids()
def first():
    for _ in range(2):
        reads, writes = os.pipe()
        pid = namespaces.fork_with_own_pids()
        if pid == 0:
            os.write(writes, f"{os.getpid()} {os.getppid()}".encode())
            os._exit(0)
        os.waitpid(pid, 0)
        print(os.read(reads, 9).decode(), end=", ")
    thread = threading.Thread(target=print, args=("thread",))
    thread.start()
    thread.join()
pid = os.fork()
if pid == 0:
    first()
    sys.stdout.flush()
    os._exit(0)
os.waitpid(pid, 0)
"""


def test_forks_are_each_number_one(as_stranger: Callable[..., Stranger]) -> None:
    done = as_stranger(PIDS, imports=IMPORTS + "; import threading")
    assert done.stdout == "1 0, 1 0, thread\n", done.stderr


def test_a_fork_that_failed_is_not_the_last(as_stranger: Callable[..., Stranger]) -> None:
    """As one does where a container has a limit of processes, until others have ended."""
    code = PIDS.replace("range(2)", "range(1)").replace(
        "def first():",
        """def no_room():
    raise BlockingIOError(11, "no room")
def first():
    real, os.fork = os.fork, no_room
    try:
        namespaces.fork_with_own_pids()
    except BlockingIOError:
        print("no room", end=", ")
    os.fork = real""",
    )
    done = as_stranger(code, imports=IMPORTS + "; import threading")
    assert done.stdout == "no room, 1 0, thread\n", done.stderr


def test_the_control_cannot_start_a_thread(as_stranger: Callable[..., Stranger]) -> None:
    """That is why the one who forks has to come back."""
    code = PIDS.replace(
        "first():", "first():\n    namespaces.syscall('unshare', namespaces.CLONE_NEWPID)", 1
    ).replace("range(2)", "range(0)")
    done = as_stranger(code, imports=IMPORTS + "; import threading")
    assert "can't start new thread" in done.stderr


def test_a_second_thread_is_an_error(as_stranger: Callable[..., Stranger]) -> None:
    code = """
threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
try:
    namespaces.enter_empty_root()
except OSError as error:
    print(error.errno)
"""
    done = as_stranger(code, imports=IMPORTS + "; import threading, time")
    assert done.stdout == "22\n", done.stderr


def test_asking_moves_nobody() -> None:
    assert Path("/etc").is_dir()
