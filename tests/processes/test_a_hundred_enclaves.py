"""A hundred enclaves in one host: all answer, none is large, and nothing of them is left."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from doublevm import Enclave
from tests.support.procfs import descendants, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY: Final = 100
MOST_PER_PAIR: Final = 16 * 1024 * 1024
"""Bytes that a pair may have to itself: twice what was measured on Python 3.11, 5 MiB on monty and
8 on cpython."""


@pytest.fixture
def clean() -> Iterator[set[int]]:
    before = {process.pid for process in descendants()}
    yield before
    assert wait_until(lambda: {process.pid for process in descendants()} <= before)


def open_here() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def own_memory(pid: int) -> int:
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) * 1024 for row in rows if row.startswith("Private_"))


@pytest.mark.skipif(os.geteuid() != 0, reason="the memory of a sealed process is root's to see")
@pytest.mark.parametrize("engine", ["monty", "cpython"])
def test_a_hundred_enclaves(clean: set[int], engine: str) -> None:
    descriptors = open_here()
    enclaves = [Enclave(engine=engine, inputs={"n": number}) for number in range(MANY)]
    try:
        assert [enclave.run("n * n").unwrap() for enclave in enclaves] == [
            number * number for number in range(MANY)
        ]
        assert [enclave.run("-n").unwrap() for enclave in enclaves] == [
            -number for number in range(MANY)
        ]
        new = [process.pid for process in descendants() if process.pid not in clean]
        # Guests that wait come and go; what they have to themselves counts as well.
        total = 0
        for pid in new:
            try:
                total += own_memory(pid)
            except FileNotFoundError:
                continue
        assert total / MANY < MOST_PER_PAIR, total
    finally:
        for enclave in enclaves:
            enclave.close()
    assert open_here() <= descriptors + 4  # the zygote's and a loop's
