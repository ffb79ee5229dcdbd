"""A run that its own host gives up: closed under it, cancelled, or interrupted."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from doublevm import AsyncEnclave, ConfigError, Enclave, ErrorCode, Limits, VMError
from tests.support.procfs import descendants, inner_vms, parent_vms, wait_until

LOOP = "print('go')\nwhile True: pass"


def test_closed_by_another_thread() -> None:
    enclave = Enclave(engine="monty")
    began = time.monotonic()
    with pytest.raises(VMError, match="closed during the run"):
        enclave.run(LOOP, on_output=lambda *_: threading.Timer(0.1, enclave.close).start())
    assert time.monotonic() - began < 20
    with pytest.raises(ConfigError, match="closed"):
        enclave.run("1")


def test_closed_by_a_tool() -> None:
    def close() -> None:
        enclave.close()

    enclave = Enclave(engine="monty", tools=[close])
    with pytest.raises(VMError, match="closed during the run"):
        enclave.run("close()")


@pytest.mark.parametrize("moment", [0.0, 0.01, 0.4])
def test_closed_by_another_task(moment: float) -> None:
    async def main() -> None:
        enclave = AsyncEnclave(engine="monty")
        run = asyncio.create_task(enclave.run(LOOP))
        await asyncio.sleep(moment)
        await enclave.close()
        began = time.monotonic()
        with pytest.raises((VMError, ConfigError), match="closed"):
            await run
        assert time.monotonic() - began < 20

    asyncio.run(main())


def test_closed_by_another_task_during_a_call() -> None:
    async def main() -> None:
        called = asyncio.Event()

        async def tool() -> int:
            called.set()
            await asyncio.sleep(0.3)
            return 1

        enclave = AsyncEnclave(engine="monty", tools=[tool])
        run = asyncio.create_task(enclave.run("tool()"))
        await called.wait()
        await enclave.close()
        # Whatever gets the numbers of the closed pipes must not be written to.
        others = [os.pipe() for _ in range(4)]
        with pytest.raises(VMError, match="closed during the run"):
            await run
        for reads, writes in others:
            os.close(writes)
            assert os.read(reads, 1) == b""
            os.close(reads)

    asyncio.run(main())


@pytest.mark.parametrize("moment", [0, 0.001, 0.005, 0.02, 0.1, 0.4])
def test_cancelled_at_any_moment(moment: float) -> None:
    async def main() -> None:
        async with AsyncEnclave(engine="monty") as enclave:
            run = asyncio.create_task(enclave.run(LOOP))
            await asyncio.sleep(moment)
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            assert (await enclave.run("1 + 1")).unwrap() == 2
        assert wait_until(lambda: not descendants())

    asyncio.run(main())


@pytest.mark.parametrize("steps", range(4))
def test_cancelled_while_a_pair_is_made(steps: int) -> None:
    async def main() -> None:
        enclave = AsyncEnclave(engine="monty")
        run = asyncio.create_task(enclave.run("1"))
        for _ in range(steps):
            await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        await enclave.close()
        assert wait_until(lambda: not descendants())

    asyncio.run(main())


def test_the_loop_ends_while_a_pair_is_made() -> None:
    async def main() -> None:
        enclave = AsyncEnclave(engine="monty")
        asyncio.get_running_loop().create_task(enclave.run(LOOP)).add_done_callback(lambda _: None)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert wait_until(lambda: not descendants())


def test_a_tool_that_outlasts_the_run_in_the_loop() -> None:
    """It answers when the run has been stopped, and the host still waits for it."""

    async def main() -> None:
        async def tool() -> int:
            await asyncio.sleep(0.8)
            return 1

        async with AsyncEnclave(tools=[tool], limits=Limits(timeout=0.5)) as enclave:
            error = (await enclave.run("tool()")).error
            assert error is not None
            assert error.code is ErrorCode.TIMEOUT
            assert (await enclave.run("1 + 1")).unwrap() == 2

    asyncio.run(main())


def test_ctrl_c_reaches_the_caller_and_the_enclave_goes_on() -> None:
    code = """
        import os, signal, threading
        from doublevm import Enclave
        with Enclave(engine="cpython") as enclave:
            def interrupt(*_):
                threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
            try:
                enclave.run("print('go')\\nwhile True: pass", on_output=interrupt)
            except KeyboardInterrupt:
                print("interrupted", enclave.run("1 + 1").value)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted 2\n", "", 0)


def test_a_host_that_ignores_its_children() -> None:
    """With SIGCHLD ignored the kernel reaps them, and nobody can wait for one."""
    code = """
        import signal, time
        from doublevm import DoubleVM, Enclave, Limits, VMCrashed
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        limits, buffer = Limits(timeout=0.3), DoubleVM(parent_timeout_buffer=0.1)

        def late() -> None:
            time.sleep(2)

        with Enclave(tools=[late], engine="monty", limits=limits, double_vm=buffer) as enclave:
            print(enclave.run("late()").error.code, enclave.run("1 + 1").value)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("TIMEOUT 2\n", "", 0)


def test_the_pair_is_gone_when_the_run_raises() -> None:
    with Enclave(engine="monty") as enclave:

        def stop(_stream: str, _text: str) -> None:
            raise KeyError("the host's own mistake")

        with pytest.raises(KeyError):
            enclave.run(LOOP, on_output=stop)
        assert wait_until(lambda: not (*inner_vms(), *parent_vms()))
        assert enclave.run("1 + 1").unwrap() == 2


def test_ending_an_enclave_twice_or_unused() -> None:
    enclave = Enclave()
    enclave.close()
    enclave.close()
    with pytest.raises(ConfigError, match="closed"):
        enclave.run("1")
