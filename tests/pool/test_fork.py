"""A host that forks: the pool serves the child with pairs of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

SYNC = """
    import os, sys
    from doublevm import EnclavePool

    pool = EnclavePool(engine="monty", max_workers=1)
    run = lambda program: pool.run(program).unwrap()
    stats = lambda: pool.stats
"""
ASYNC = """
    import asyncio, os, sys
    from doublevm import AsyncEnclavePool

    LOOP = asyncio.Runner()
    pool = AsyncEnclavePool(engine="monty", max_workers=1)
    run = lambda program: LOOP.run(pool.run(program)).unwrap()
    stats = lambda: pool.stats
"""


@pytest.mark.parametrize(
    ("begin", "anew"), [(SYNC, ""), (ASYNC, "LOOP = asyncio.Runner()")], ids=["sync", "async"]
)
@pytest.mark.parametrize("end", ["sys.exit()", "os._exit(0)", "del pool; sys.exit()"])
def test_both_go_on_with_their_own_workers(begin: str, anew: str, end: str) -> None:
    code = f"""
    assert run("1") == 1
    pid = os.fork()
    if pid == 0:
        {anew}
        assert run("2") == 2
        assert run("3") == 3
        assert stats().started == 1
        {end}
    assert os.waitpid(pid, 0)[1] == 0, "the child failed"
    assert run("4") == 4
    assert stats().started == 1
    assert dict(stats().recycled) == {{}}
    """
    # Forking a process with threads is warned about from Python 3.12 on: hosts do it all the same.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(begin) + textwrap.dedent(code)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pool_outlives_its_event_loop() -> None:
    code = (
        ASYNC
        + """
    assert run("1") == 1
    LOOP.close()
    LOOP = asyncio.Runner()
    assert run("2") == 2
    assert stats().started == 1
    LOOP.run(pool.close())
    """
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
