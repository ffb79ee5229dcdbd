"""Landlock: what it stops, that the same gets through without it, and what goes on working."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from doublevm.jail import landlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.jail.conftest import Stranger

ABI = landlock.abi()
needs_landlock = pytest.mark.skipif(ABI == 0, reason="there is no Landlock on this kernel")

# Each probe is a child of a process that stays outside; an error's number is its exit code.
FRAME = """
def outside_does():
{outside}

def probe():
{probe}

kept = outside_does()
child = os.fork()
if child == 0:
    code = 99
    try:
        if sys.argv[1] == "confined":
            landlock.restrict()
        probe()
        code = 0
    except OSError as error:
        code = error.errno
    finally:
        os._exit(code)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
IMPORTS = "os, signal, socket, sys, encodings.idna; from doublevm.jail import landlock"

EACCES, EPERM = 13, 1
READ = ("pass", "open('/etc/passwd').close()", EACCES, 1)
LIST = ("pass", "os.listdir('/')", EACCES, 1)
WRITE = ("pass", "open('/dev/null', 'w').close()", EACCES, 1)
LISTENER = """
    server = socket.create_server(('127.0.0.1', 0))
    return server
"""
CONNECT = (LISTENER, "socket.socket().connect(kept.getsockname())", EACCES, 4)
BIND = ("pass", "socket.create_server(('127.0.0.1', 0)).close()", EACCES, 4)
SIGNAL = ("pass", "os.kill(os.getppid(), 0)", EPERM, 6)
ABSTRACT = """
    server = socket.socket(socket.AF_UNIX)
    server.bind(chr(0) + f'doublevm-test-{os.getpid()}')
    server.listen()
    return server
"""
ABSTRACT_CONNECT = (ABSTRACT, "socket.socket(socket.AF_UNIX).connect(kept.getsockname())", EPERM, 6)

ATTACKS = {
    "read": READ,
    "list": LIST,
    "write": WRITE,
    "connect": CONNECT,
    "bind": BIND,
    "signal": SIGNAL,
    "abstract socket": ABSTRACT_CONNECT,
}
TWINS = {
    "a pipe": "r, w = os.pipe(); os.write(w, b'x'); assert os.read(r, 1) == b'x'",
    "a signal to itself": "os.kill(os.getpid(), 0)",
    "a signal to its child": """
    pid = os.fork()
    if pid == 0:
        signal.pause()
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
""",
    "a socket pair": "socket.socketpair()[0].close()",
    "memory": "bytearray(10_000_000)",
}


def script(outside: str, probe: str) -> str:
    def body(text: str) -> str:
        return text if text.startswith("\n") else f"    {text}"

    return FRAME.format(outside=body(outside), probe=body(probe))


def needs(abi: int) -> None:
    if abi > ABI:
        pytest.skip(f"needs version {abi} of Landlock; this kernel has {ABI}")


@pytest.mark.parametrize(("outside", "probe", "errno", "since"), ATTACKS.values(), ids=ATTACKS)
def test_stopped(
    as_stranger: Callable[..., Stranger], outside: str, probe: str, errno: int, since: int
) -> None:
    needs(since)
    done = as_stranger(script(outside, probe), "confined", imports=IMPORTS)
    assert (done.stdout, done.stderr) == (f"{errno}\n", "")


@pytest.mark.parametrize(("outside", "probe", "errno", "since"), ATTACKS.values(), ids=ATTACKS)
def test_the_control_gets_through(
    as_stranger: Callable[..., Stranger], outside: str, probe: str, errno: int, since: int
) -> None:
    done = as_stranger(script(outside, probe), "free", imports=IMPORTS)
    assert (done.stdout, done.stderr) == ("0\n", "")


@needs_landlock
@pytest.mark.parametrize("probe", TWINS.values(), ids=TWINS)
def test_harmless_things_work(as_stranger: Callable[..., Stranger], probe: str) -> None:
    done = as_stranger(script("pass", probe), "confined", imports=IMPORTS)
    assert (done.stdout, done.stderr) == ("0\n", "")


@needs_landlock
def test_what_is_named_stays_and_nothing_else(
    as_stranger: Callable[..., Stranger], tmp_path: Path
) -> None:
    """The folders of pytest are closed to strangers; a system's own are open to all."""
    done = as_stranger(
        """
        landlock.restrict(read=["/etc/passwd", "/usr/share"], execute=["/bin/true", "/lib",
            *(f for f in ("/lib64", "/usr/lib") if os.path.exists(f))])
        open("/etc/passwd").close()
        os.listdir("/usr/share")
        assert subprocess.run(["/bin/true"]).returncode == 0
        for refused in (
            lambda: open("/etc/group"),
            lambda: os.listdir("/etc"),
            lambda: os.listdir("/usr"),
            lambda: open("/dev/null", "w"),
            lambda: subprocess.run(["/bin/sh", "-c", "exit 0"]),
        ):
            try:
                refused()
            except PermissionError:
                continue
            raise AssertionError("got through")
        """,
        imports="os, subprocess; from doublevm.jail import landlock",
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_landlock
def test_it_sets_no_new_privs_itself(as_stranger: Callable[..., Stranger]) -> None:
    code = "landlock.restrict(); print(prctl(39))"
    imports = "os; from doublevm.jail import landlock; from doublevm.jail.libc import prctl"
    assert as_stranger(code, imports=imports).stdout == "1\n"


@needs_landlock
def test_a_missing_path_is_an_error(as_stranger: Callable[..., Stranger]) -> None:
    done = as_stranger(
        "landlock.restrict(read=['/nowhere'])", imports="os; from doublevm.jail import landlock"
    )
    assert "FileNotFoundError" in done.stderr


def test_asking_confines_nobody() -> None:
    assert (landlock.available() is None) == (ABI > 0)
    assert Path("/etc/passwd").read_bytes()


def test_a_kernel_without_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: object) -> int:
        raise OSError(38, "not there")

    monkeypatch.setattr(landlock, "syscall", missing)
    assert landlock.abi() == 0
    assert "no Landlock" in (landlock.available() or "")


@pytest.mark.parametrize(
    ("abi", "rights", "words"),
    [
        (1, 13, 1), (2, 14, 1), (3, 15, 1), (4, 15, 2), (5, 16, 2), (6, 16, 3), (7, 16, 3),
        (8, 16, 3), (9, 17, 3), (12, 17, 3),
    ],
)  # fmt: skip
def test_each_abi_is_asked_for_all_it_knows(
    monkeypatch: pytest.MonkeyPatch, abi: int, rights: int, words: int
) -> None:
    seen: list[tuple[object, ...]] = []

    def note(*arguments: object) -> int:
        seen.append(arguments)
        return 5

    monkeypatch.setattr(landlock, "syscall", note)
    landlock._create_ruleset(abi, landlock._filesystem_rights(abi), scoped=True)
    (_, attributes, size, _) = seen[0]
    assert isinstance(attributes, bytes)
    assert int.from_bytes(attributes[:8], "little") == 2**rights - 1
    assert len(attributes) == size == 8 * words
