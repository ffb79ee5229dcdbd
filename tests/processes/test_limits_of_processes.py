"""The kernel's limits on a cpython inner VM follow from the limits of the run."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from doublevm import Limits
from doublevm.engines.cpython import CPU_MARGIN
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


@pytest.mark.parametrize("timeout", [7, 1000])
def test_cpu_behind_the_parents_clock(paused: Callable[..., Pause], timeout: int) -> None:
    inner = paused("cpython", limits=Limits(timeout=timeout)).inner.pid
    assert read_limits(inner)["cpu time"] == (str(timeout + 1 + CPU_MARGIN),) * 2
