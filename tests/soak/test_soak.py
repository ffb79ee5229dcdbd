"""Good, crashing, looping and memory-hungry guests in turn, in one host process.

``DOUBLEVM_SOAK_RUNS=1000`` (``make soak``) is the real thing; the test run has a short form.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import doublevm
from doublevm import DoubleVM, Enclave, Limits, ParentValidation, VMCrashed
from tests.support.procfs import descendants, open_descriptors, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = int(os.environ.get("DOUBLEVM_SOAK_RUNS", "64"))
WARM_UP = 16
GROWTH_BYTES = 8 * 1024 * 1024

# Few calls: what guests attempted is kept on record for as long as the enclave lives.
GOOD = "total = 0\nfor n in range(5):\n    total += double(n)\ntotal"
RECURSING = "def f(n):\n    return f(n + 1)\nf(0)"
LOOPING = "while True:\n    pass"
HUNGRY = "rows = []\nwhile True:\n    rows.append('x' * 1_000_000)"
# A null pointer, read by the guest's own process, which is limited and has a uid of its own.
CRASHING = "import ctypes\nctypes.string_at(0)"


def double(n: int) -> int:
    return 2 * n


def code(program: str, expected: str) -> Callable[[Enclave], None]:
    def check(enclave: Enclave) -> None:
        error = enclave.run(program).error
        assert error is not None
        assert error.code == expected

    return check


def good(enclave: Enclave) -> None:
    assert enclave.run(GOOD).unwrap() == 20


def crashing(enclave: Enclave) -> None:
    with pytest.raises(VMCrashed) as crash:
        enclave.run(CRASHING)
    assert crash.value.vm == "inner"


looping = code(LOOPING, "TIMEOUT")

PLANS: dict[str, list[Callable[[Enclave], None]]] = {
    "monty": [
        good,
        code(RECURSING, "EXECUTION_ERROR"),
        looping,
        code(HUNGRY, "MEMORY_LIMIT_EXCEEDED"),
    ],
    "cpython": [
        good,
        crashing,
        looping,
        code(HUNGRY, "MEMORY_LIMIT_EXCEEDED"),
    ],
}


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def options(engine: str, timeout: float) -> dict[str, Any]:
    limits = Limits(timeout=timeout, memory=32 * 1024 * 1024, max_tool_calls=100)
    calm = ParentValidation(block_suspicious_sequences=False)
    judging = DoubleVM(parent_validation=calm)
    return {"tools": [double], "engine": engine, "limits": limits, "double_vm": judging}


def drive(enclaves: dict[tuple[str, bool], Enclave], runs: int) -> None:
    for number in range(runs):
        engine = ("monty", "cpython")[number % 2]
        plan = PLANS[engine]
        check = plan[number // 2 % len(plan)]
        # Only what loops is cut short: on a busy machine, good programs may take their time.
        check(enclaves[engine, check is looping])


def test_many_runs_leave_nothing_behind() -> None:
    doublevm.warm_up()  # the zygote and its socket stay with the host
    processes = {process.pid for process in descendants()}
    descriptors = len(open_descriptors(os.getpid()))
    enclaves = {
        (engine, short): Enclave(**options(engine, 0.1 if short else 30.0))
        for engine in PLANS
        for short in (False, True)
    }
    try:
        drive(enclaves, WARM_UP)
        gc.collect()
        memory = resident()
        held = len(open_descriptors(os.getpid()))
        drive(enclaves, RUNS)
        gc.collect()
        assert len(open_descriptors(os.getpid())) == held
        assert resident() - memory < GROWTH_BYTES
    finally:
        for enclave in enclaves.values():
            enclave.close()
    assert wait_until(lambda: {process.pid for process in descendants()} <= processes)
    assert len(open_descriptors(os.getpid())) == descriptors
