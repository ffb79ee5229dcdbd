"""The host dies, exits or fails: within moments no process of it is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.procfs import Process, descendants, is_alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("dying_host.py")
STATES = ["computing", "calling", "waiting", "sleeping", "idle", "in a session"]
SOON = 5.0
"""Seconds until all must be gone: two are promised, and the machine may be busy."""

both_drivers = pytest.mark.parametrize("driver", ["sync", "async"])
both_engines = pytest.mark.parametrize("engine", ["monty", "cpython"])


@contextlib.contextmanager
def host(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], list[Process]]]:
    """Start a host program and wait until it is ready; also give the VM processes it has."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", process.communicate()
        yield process, descendants(process.pid)
    finally:
        process.kill()
        process.communicate()


def all_end(processes: list[Process]) -> bool:
    return wait_until(lambda: not any(is_alive(process.pid) for process in processes), SOON)


@both_drivers
@both_engines
@pytest.mark.parametrize("state", STATES)
def test_killed(driver: str, engine: str, state: str) -> None:
    with host(driver, engine, state, "killed") as (process, vms):
        # A cpython guest ends with its run; its template, or a monty worker, waits for the next.
        guest = engine == "cpython" and state != "idle"
        assert len(vms) in ((3,) if guest else (2, 3))  # the next guest may be there already
        # An idle pair's last guest may still be on its way out.
        staying = [vm for vm in vms if state != "idle" or not vm.is_inner_vm or engine == "monty"]
        assert all(is_alive(vm.pid) for vm in staying)
        process.kill()
        assert all_end(vms), [vm for vm in vms if is_alive(vm.pid)]


@both_drivers
@both_engines
@pytest.mark.parametrize("state", ["computing", "idle"])
@pytest.mark.parametrize(("how", "status"), [("exits", 0), ("raises", 1)])
def test_it_ends_without_closing(
    driver: str, engine: str, state: str, how: str, status: int
) -> None:
    with host(driver, engine, state, how) as (process, vms):
        _, errors = process.communicate(timeout=60)
        assert process.returncode == status
        assert all_end(vms)
    text = errors.decode()
    assert text.count("Traceback") == (how == "raises")
    assert "RuntimeError: the host's own mistake" in text or how == "exits"
    assert "site-packages" not in text
    assert "src/doublevm" not in text


@both_drivers
@both_engines
@pytest.mark.parametrize("state", ["computing", "calling"])
def test_interrupted_by_ctrl_c(driver: str, engine: str, state: str) -> None:
    with host(driver, engine, state, "killed") as (process, vms):
        # Python looks for signals between two steps, and not once more before it begins to wait:
        # one that comes just then is noticed when something else has come.
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGINT
        assert errors.decode().splitlines()[-1] == "KeyboardInterrupt"
        assert all_end(vms)
