"""The outer jail holds what runs in it, and lets a harmless program run.

The probes here only look: what they would find outside are things that this test has put there.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.attacks.outer_jail import REPOSITORY, available, run_jailed
from tests.support.procfs import wait_until

pytestmark = pytest.mark.skipif(available() is not None, reason=str(available()))

IDENTITIES = pytest.mark.parametrize("as_root", [False, True], ids=["user", "root"])


def in_jail(
    code: str, *, as_root: bool = False, writable: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", textwrap.dedent(code)]
    return run_jailed(command, timeout=60, as_root=as_root, writable=writable)


@IDENTITIES
def test_a_harmless_program_runs(*, as_root: bool) -> None:
    done = in_jail(
        """
        import subprocess, tempfile, threading
        thread = threading.Thread(target=print, args=["a thread"])
        thread.start()
        thread.join()
        with tempfile.TemporaryFile() as file:
            file.write(b"a file")
        subprocess.run(["/bin/sh", "-c", "echo a command"], check=True)
        """,
        as_root=as_root,
    )
    assert sorted(done.stdout.splitlines()) == ["a command", "a thread"], done.stderr


@IDENTITIES
def test_doublevm_works_in_it(*, as_root: bool) -> None:
    done = in_jail(
        """
        from doublevm import Enclave
        for engine in "monty", "cpython":
            with Enclave(engine=engine) as enclave:
                print(enclave.run("6 * 7").unwrap())
        """,
        as_root=as_root,
    )
    assert (done.stdout, done.stderr) == ("42\n42\n", "")


@IDENTITIES
def test_it_sees_no_files_of_the_host(tmp_path: Path, *, as_root: bool) -> None:
    (tmp_path / "canary").write_text("outside")
    probe = f"import os; print(os.path.exists({str(tmp_path / 'canary')!r}))"
    control = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=True)
    assert control.stdout == b"True\n"
    assert in_jail(probe, as_root=as_root).stdout == "False\n"
    listed = in_jail("import os; print(*sorted(os.listdir('/etc')))", as_root=as_root)
    assert listed.stdout == "ld.so.cache\n"


@IDENTITIES
def test_it_cannot_write_to_what_it_sees(*, as_root: bool) -> None:
    folders = [str(REPOSITORY / "tests"), str(REPOSITORY / "src"), sys.prefix, "/usr"]
    done = in_jail(
        f"""
        import errno, os
        for folder in {folders!r}:
            try:
                os.mkdir(folder + "/written-from-the-jail")
            except OSError as error:
                print(error.errno in (errno.EROFS, errno.EACCES))
            try:
                os.utime(folder)
            except OSError as error:
                print(error.errno in (errno.EROFS, errno.EACCES, errno.EPERM))
        """,
        as_root=as_root,
    )
    assert done.stdout == "True\n" * 2 * len(folders), done.stderr
    assert not any((Path(folder) / "written-from-the-jail").exists() for folder in folders)


def test_one_folder_can_be_writable(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    done = in_jail(f"open({str(tmp_path / 'report')!r}, 'w').write('said')", writable=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report").read_text() == "said"


@IDENTITIES
def test_it_reaches_no_network(*, as_root: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        probe = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5); print('in')"
        control = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=True)
        assert control.stdout == b"in\n"
        done = in_jail(probe, as_root=as_root)
    assert (done.stdout, done.stderr.split("\n")[-2]) == (
        "",
        "ConnectionRefusedError: [Errno 111] Connection refused",
    )


@IDENTITIES
def test_it_sees_no_processes_of_the_host(*, as_root: bool) -> None:
    done = in_jail(
        """
        import os
        print([int(name) for name in sorted(os.listdir("/proc")) if name.isdigit()])
        """,
        as_root=as_root,
    )
    assert done.stdout == "[1, 2]\n"


@IDENTITIES
def test_nobody_in_it_is_root_outside(*, as_root: bool) -> None:
    rows = in_jail("print(open('/proc/self/uid_map').read())", as_root=as_root).stdout.split()
    outside = [int(first) for first in rows[1::3]]
    assert outside
    assert 0 not in outside
    # Root's files that anybody's root may write to: settings of the kernel.
    done = in_jail(
        "import os; print(os.access('/proc/sys/kernel/core_pattern', os.W_OK))", as_root=as_root
    )
    assert done.stdout == "False\n"


def test_a_user_in_it_has_no_rights_at_all() -> None:
    text = in_jail("print(open('/proc/self/status').read())").stdout
    status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    sets = {name: int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh")}
    assert not any(sets.values()), sets
    assert status["NoNewPrivs"] == "1"
    assert "0" not in status["Uid"].split()


def test_barriers_can_be_made_inside() -> None:
    """A user namespace, as a stand-in for all that the kernel gives to an ordinary user."""
    done = in_jail("import ctypes; print(ctypes.CDLL(None).unshare(0x10000000))")
    assert done.stdout == "0\n"


def test_no_environment_and_no_descriptors_come_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKER", "outside")
    read, write = os.pipe()
    os.set_inheritable(write, True)
    done = in_jail("import os; print(sorted(os.environ), sorted(os.listdir('/proc/self/fd')))")
    os.close(read)
    os.close(write)
    assert done.stdout == "['LANG', 'PATH'] ['0', '1', '2', '3']\n"  # 3 lists the folder


def test_a_timeout_ends_everything_in_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    beat = tmp_path / "beat"
    code = f"""
        import os, signal, time
        os.fork()
        os.setsid() if os.getpid() != 2 else None
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            open({str(beat)!r}, "a").write("x")
            time.sleep(0.01)
        """
    command = [sys.executable, "-I", "-c", textwrap.dedent(code)]
    with pytest.raises(subprocess.TimeoutExpired):
        run_jailed(command, timeout=2, writable=tmp_path)
    assert wait_until(lambda: _is_still(beat))
    assert beat.stat().st_size > 0


def _is_still(file: Path) -> bool:
    before = file.stat().st_size
    time.sleep(0.2)
    return file.stat().st_size == before


def test_the_exit_status_is_the_commands() -> None:
    assert in_jail("raise SystemExit(7)").returncode == 7
    assert in_jail("import os; os.kill(os.getpid(), 9)").returncode == 128 + 9
