"""Enclaves of a host that is an ordinary user: no uid can change, all else holds.

As root, the same programs run in a child process that becomes nobody first.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

NOBODY = 65534

BECOME_NOBODY = f"""
    import os
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
        os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
    assert os.geteuid() != 0
"""


def as_ordinary_user(code: str) -> subprocess.CompletedProcess[str]:
    text = textwrap.dedent(BECOME_NOBODY) + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=90, check=False,
        cwd="/",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def python_is_there_for_all() -> None:
    code = "import doublevm, msgspec, pydantic_monty; open(doublevm.__file__).close()"
    done = as_ordinary_user(
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {code!r}], check=True)"
    )
    if done.returncode != 0:
        pytest.skip(f"an ordinary user cannot run {sys.executable}: {done.stderr.splitlines()[-1]}")


@pytest.mark.parametrize("engine", ["monty", "cpython"])
def test_runs(engine: str) -> None:
    done = as_ordinary_user(f"""
        from doublevm import Enclave, Limits

        def double(number: int) -> int:
            return 2 * number

        with Enclave(tools=[double], engine={engine!r}, limits=Limits(timeout=1)) as enclave:
            assert enclave.run("double(21)").unwrap() == 42
            assert enclave.run("while True: pass").error.code == "TIMEOUT"
            assert enclave.run("nothing()").error.type == "NameError"
            assert enclave.run("double('x')").error.code == "OPERATION_DENIED"
    """)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_cpython_guest_is_limited_all_the_same() -> None:
    done = as_ordinary_user("""
        from doublevm import Enclave

        PROBES = {
            "open('/etc/hostname')": "OSError",
            "import os\\nos.fork()": "BlockingIOError",
            "import os\\nos.pipe()": "OSError",
        }
        with Enclave(engine="cpython") as enclave:
            for probe, kind in PROBES.items():
                error = enclave.run(probe).error
                assert error is not None and error.type == kind, (probe, error)
            assert enclave.run("import os\\nos.getuid()").unwrap() == os.getuid()
    """)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_other_process_of_this_user_can_look_into_the_vms() -> None:
    """Files of a process that allows no inspection belong to root, not to its user."""
    done = as_ordinary_user("""
        import glob, subprocess, sys
        from doublevm import Enclave

        def below(pid: int) -> list[int]:
            tasks = glob.glob(f"/proc/{pid}/task/*/children")
            children = [int(child) for task in tasks for child in open(task).read().split()]
            return children + [each for child in children for each in below(child)]

        def look() -> list[int]:
            return [os.stat(f"/proc/{pid}/mem").st_uid for pid in below(os.getpid())]

        with Enclave(tools=[look], engine="cpython") as enclave:
            assert enclave.run("look()").unwrap() == [0, 0]
        # The control: a process like any other that this user starts.
        control = "import os; assert os.stat('/proc/self/mem').st_uid == os.getuid()"
        subprocess.run([sys.executable, "-c", control], check=True)
    """)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_control_gets_through() -> None:
    """The same probes succeed for this user outside of an enclave."""
    done = as_ordinary_user("""
        open("/etc/hostname").close()
        os.pipe()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    """)
    assert (done.returncode, done.stderr) == (0, "")
