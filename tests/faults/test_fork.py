"""A host that forks: the child has its own pairs, and leaves its parent's alone."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.support.procfs import descendants, wait_until

BEGIN = """
    import os, signal, sys, time, asyncio
    from doublevm import AsyncEnclave, Enclave

    def ran(enclave, program, inputs=None):
        if isinstance(enclave, Enclave):
            return enclave.run(program, inputs=inputs).unwrap()
        return LOOP.run(enclave.run(program, inputs=inputs)).unwrap()

    def wait_for(pid):
        assert os.waitpid(pid, 0)[1] == 0, "the child failed"

    async def double(number: int) -> int:
        return 2 * number

    LOOP = asyncio.Runner()
    enclave = {kind}(tools=[double], engine="monty")
    assert ran(enclave, "double(1)") == 2
"""


def script(kind: str, code: str) -> str:
    """Run a host program and return what it printed."""
    text = textwrap.dedent(BEGIN.format(kind=kind)) + textwrap.dedent(code)
    # Forking a process with threads is warned about from Python 3.12 on: hosts do it all the same.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


both_kinds = pytest.mark.parametrize("kind", ["Enclave", "AsyncEnclave"])


@both_kinds
def test_both_go_on_with_their_own_pair(kind: str) -> None:
    """The enclave made before the fork serves the child as well."""
    script(kind, """
        pid = os.fork()
        if pid == 0:
            LOOP = asyncio.Runner()
            assert ran(enclave, "double(21)") == 42
            sys.exit()
        assert ran(enclave, "double(2)") == 4
        wait_for(pid)
        assert ran(enclave, "double(3)") == 6
    """)  # fmt: skip


@both_kinds
@pytest.mark.parametrize(
    "end",
    [
        "sys.exit()",
        "os._exit(0)",
        "del enclave; sys.exit()",
        "enclave._link.process.kill(); os._exit(0)",
    ],
)
def test_a_child_that_ends_leaves_the_pair(kind: str, end: str) -> None:
    script(kind, f"""
        before = enclave._link.process.pid
        pid = os.fork()
        if pid == 0:
            {end}
        wait_for(pid)
        assert ran(enclave, "double(2)") == 4
        assert enclave._link.process.pid == before
    """)  # fmt: skip


def test_a_child_that_leaves_a_session_leaves_the_guest() -> None:
    script("Enclave", """
        with enclave.session() as session:
            session.run("kept = 1")
            pid = os.fork()
            if pid:
                wait_for(pid)
                assert session.run("kept").unwrap() == 1
        if not pid:
            sys.exit()
    """)  # fmt: skip


def test_a_child_may_end_while_its_parent_runs() -> None:
    """The run's thread holds locks that nobody in the child will ever release."""
    script("Enclave", """
        def forks() -> None:
            time.sleep(0.2)
            pid = os.fork()
            if pid == 0:
                sys.exit()
            wait_for(pid)
            os.kill(os.getpid(), signal.SIGUSR1)

        import threading
        ended = threading.Event()
        signal.signal(signal.SIGUSR1, lambda *_: ended.set())
        runs = threading.Thread(target=ran, args=[enclave, "import time\\ntime.sleep(1)"])
        runs.start()
        forks()
        assert ended.wait(10)
        runs.join()
    """)  # fmt: skip


@both_kinds
def test_a_child_does_not_keep_its_parents_pair_alive(kind: str) -> None:
    """The pair sees its host hang up although a child of the host lives on."""
    pid = script(kind, """
        pid = os.fork()
        if pid == 0:
            for fd in (0, 1, 2):
                os.close(fd)
            time.sleep(60)
            os._exit(0)
        print(pid, flush=True)
        os._exit(0)
    """)  # fmt: skip
    child = int(pid)

    def only_the_child() -> bool:
        return [process.pid for process in descendants()] == [child]

    try:
        assert wait_until(only_the_child), descendants()
    finally:
        subprocess.run(["kill", "-9", str(child)], check=True)
