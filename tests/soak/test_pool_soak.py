"""A pool that serves run after run: nothing grows, in the host or in its pairs.

``make soak`` is the real thing, 100,000 runs and 1,000,000 calls of each driver; the test run has a
short form.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import doublevm
from doublevm import DoubleVM, Limits, ParentValidation, tool
from doublevm.host.memory import held
from tests.pool.drivers import opened_pool
from tests.support.procfs import TEMPLATE, descendants, open_descriptors, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm import RunResult
    from tests.pool.drivers import DrivenPool, Driver

RUNS = int(os.environ.get("DOUBLEVM_POOL_SOAK_RUNS", "400"))
CALLS = 10
WORKERS = 2
REQUESTERS = 4
HOST_GROWTH = 16 * 1024 * 1024
PAIR_GROWTH = 8 * 1024 * 1024
CALM = ParentValidation(max_operations_per_second=1_000_000, block_suspicious_sequences=False)
# Every tenth needs cpython; the rest runs on monty.
PROGRAMS = [f"sum([double(n) for n in range({CALLS})])"] * 9 + [
    f"class A:\n    pass\nclass B(A):\n    pass\nsum(double(n) for n in range({CALLS}))"
]


@tool
def double(n: int) -> int:
    return 2 * n


class Counts:
    """What this process, its descendants and their memory come to."""

    def __init__(self) -> None:
        gc.collect()
        # A guest of a template that waits for the next program may be there or not.
        pids = [each.pid for each in descendants() if each.name != TEMPLATE or each.is_template]
        self.processes = len(pids)
        self.descriptors = len(open_descriptors(os.getpid()))
        self.theirs = max(filter(None, map(_descriptors, pids)), default=0)
        self.memory = held((os.getpid(),)) or 0
        self.largest = max(((held((pid,)) or 0) for pid in pids), default=0)

    def __repr__(self) -> str:
        return ", ".join(f"{name} {value:,}" for name, value in vars(self).items())


def _descriptors(pid: int) -> int | None:
    try:
        return len(open_descriptors(pid))
    except OSError:  # sealed, and this is not root; or it has just ended
        return None


class Soak:
    """Requesters that share a number of runs."""

    def __init__(self, pool: DrivenPool, say: pytest.CaptureFixture[str]) -> None:
        self._pool, self._say = pool, say
        self._lock = threading.Lock()
        self.done = self.calls = 0

    def drive(self, runs: int) -> None:
        """Have so many programs run, each with its calls answered."""
        numbers = iter(range(runs))
        with ThreadPoolExecutor(REQUESTERS) as threads:
            work = [threads.submit(self._requester, numbers, runs) for _ in range(REQUESTERS)]
            for each in work:
                each.result()

    def _requester(self, numbers: Iterator[int], runs: int) -> None:
        while True:
            with self._lock:
                number = next(numbers, None)
            if number is None:
                return
            result = self._pool.run(PROGRAMS[number % len(PROGRAMS)])
            assert result.unwrap() == CALLS * (CALLS - 1)
            self._count(result, runs)

    def _count(self, result: RunResult, runs: int) -> None:
        with self._lock:
            self.done += 1
            self.calls += result.stats.tool_calls
            if runs >= 10_000 and self.done % (runs // 20) == 0:
                with self._say.disabled():
                    sys.stderr.write(f"{time.strftime('%X')} {self.done:,} runs; {Counts()}\n")


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_a_pool_leaves_nothing_behind(driver: Driver, capsys: pytest.CaptureFixture[str]) -> None:
    doublevm.warm_up()  # what belongs to the host is not the pool's
    before = Counts()
    options = {
        "tools": [double],
        "double_vm": DoubleVM(parent_validation=CALM),
        "limits": Limits(timeout=60.0),
        "min_workers": WORKERS,
        "max_workers": WORKERS,
        # So that short forms replace workers as well.
        "max_executions_per_worker": min(1000, RUNS // 8),
        "max_messages_per_second": 1_000_000,
    }
    with opened_pool(driver, **options) as pool:
        soak = Soak(pool, capsys)
        soak.drive(max(RUNS // 10, 40))
        assert wait_until(lambda: pool.stats.idle == WORKERS)
        began = Counts()
        soak.done = soak.calls = 0
        soak.drive(RUNS)
        assert (soak.done, soak.calls) == (RUNS, RUNS * CALLS)
        stats = pool.stats
        assert set(stats.recycled) <= {"executions"}
        assert not stats.refused
        assert WORKERS <= stats.started <= WORKERS + stats.recycled["executions"]

        def as_before() -> bool:  # threads and pairs of the last moment end by themselves
            now = Counts()
            return now.processes <= began.processes and now.descriptors <= began.descriptors

        assert wait_until(as_before, 30), (began, Counts())
        ended = Counts()
        assert ended.theirs <= began.theirs
        assert ended.memory - began.memory < HOST_GROWTH, (began, ended)
        assert ended.largest - began.largest < PAIR_GROWTH, (began, ended)
    assert wait_until(lambda: len(descendants()) <= before.processes)
    assert wait_until(lambda: len(open_descriptors(os.getpid())) <= before.descriptors)
