"""The kernel's limits on a cpython inner VM follow from the limits of the run."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from doublevm import Enclave, Limits
from doublevm.engines.cpython import CPU_MARGIN
from doublevm.engines.monty import MEMORY_FACTOR, MEMORY_MARGIN
from doublevm.jail.rlimits import NOTHING_NEW
from tests.support.procfs import read_limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.conftest import Pause

MIB = 2**20


def test_the_list_is_the_one_that_is_meant() -> None:
    assert set(NOTHING_NEW) == {
        resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE,
    }  # fmt: skip


@pytest.mark.parametrize("memory", [64 * MIB, 512 * MIB])
def test_memory(paused: Callable[..., Pause], memory: int) -> None:
    inner = paused("cpython", limits=Limits(memory=memory)).inner.pid
    soft, hard = read_limits(inner)["data size"]
    assert soft == hard
    assert memory < int(soft) < memory + 128 * MIB  # its interpreter comes on top


@pytest.mark.parametrize("memory", [64 * MIB, 512 * MIB])
def test_memory_of_a_monty_worker(paused: Callable[..., Pause], memory: int) -> None:
    """Behind its own limit, which a hole in the interpreter would get around."""
    inner = paused("monty", limits=Limits(memory=memory)).inner.pid
    soft, hard = read_limits(inner)["data size"]
    assert soft == hard
    most = memory * MEMORY_FACTOR + MEMORY_MARGIN
    assert most < int(soft) < most + 128 * MIB


@pytest.mark.parametrize("memory", [32 * MIB, 256 * MIB])
@pytest.mark.parametrize(
    "program",
    [
        "x = 'x' * 10**9",
        "x = []\nwhile True: x.append(len(x) * 'y')",
        "x = [0]\nwhile True: x = x + x",
    ],
)
def test_the_workers_own_limit_comes_first(memory: int, program: str) -> None:
    """A guest that takes too much is told so, and its worker lives."""
    with Enclave(engine="monty", limits=Limits(memory=memory, timeout=60)) as enclave:
        error = enclave.run(program).error
        assert error is not None
        assert error.code == "MEMORY_LIMIT_EXCEEDED"
        assert enclave.run("1 + 1").unwrap() == 2


@pytest.mark.parametrize("timeout", [7, 1000])
def test_cpu_behind_the_parents_clock(paused: Callable[..., Pause], timeout: int) -> None:
    inner = paused("cpython", limits=Limits(timeout=timeout)).inner.pid
    assert read_limits(inner)["cpu time"] == (str(timeout + 1 + CPU_MARGIN),) * 2
