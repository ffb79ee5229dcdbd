"""The timeout: wall-clock time, tools and sleeping included, whatever the guest does.

Upper bounds are generous: they tell a run that was stopped from one that was not, and no more.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import DoubleVM, ErrorCode, Limits
from doublevm.parent.watchdog import Watchdog
from tests.support.procfs import inner_vms, is_alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driven, Opens

TIMEOUT = 1.0
BUFFER = 0.4
MARGIN = 20.0

ONE_DRIVER = pytest.mark.parametrize("driver", ["sync"])
"""The parent VM stops these; it does not know which driver its host has."""

guests: set[int] = set()
"""Processes of the guests that have run, as their tool saw them."""


def mark() -> None:
    guests.update(process.pid for process in inner_vms())


def stopped(enclave: Driven, program: str) -> None:
    """Run it and find it stopped in time, its process gone, the enclave usable."""
    guests.clear()
    began = time.monotonic()
    result = enclave.run(f"mark()\n{program}")
    took = time.monotonic() - began
    assert result.error is not None
    assert result.error.code is ErrorCode.TIMEOUT, result.error
    assert result.error.message == "the run took longer than 1 s"
    assert took < TIMEOUT + BUFFER + MARGIN
    assert guests
    assert wait_until(lambda: not any(is_alive(pid) for pid in guests))
    assert enclave.run("1 + 1").unwrap() == 2


def options(*tools: Any) -> dict[str, Any]:
    return {
        "tools": [mark, *tools],
        "limits": Limits(timeout=TIMEOUT),
        "double_vm": DoubleVM(parent_timeout_buffer=BUFFER),
    }


def test_a_loop_is_stopped(open_enclave: Opens) -> None:
    stopped(open_enclave(**options()), "while True: pass")


SWALLOWS = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
SLEEPS = "import time\nwhile True:\n    try: time.sleep(3600)\n    except BaseException: pass"
SLEEPS_ASYNC = "import asyncio\nawait asyncio.gather(*[asyncio.sleep(3600) for n in range(3)])"

BUSY: list[tuple[str, str]] = [
    ("monty", SWALLOWS),
    ("cpython", SWALLOWS),
    ("monty", SLEEPS),
    ("cpython", SLEEPS),
    ("monty", SLEEPS_ASYNC),
    ("cpython", SLEEPS_ASYNC),
    # What follows runs long inside of C. Monty's own is bounded: see the tests of memory.
    ("cpython", "sum(range(10 ** 15))"),
    ("cpython", "10 ** 10 ** 8"),
    ("cpython", "import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')"),
    # These come back to Python, or to the parent VM, all the time.
    ("cpython", "def f(n):\n    try: f(n + 1)\n    finally: f(n + 1)\nf(0)"),
    ("monty", "while True:\n    try: mark()\n    except PermissionError: pass"),
]


@ONE_DRIVER
@pytest.mark.parametrize(("engine", "program"), BUSY)
def test_whatever_it_does_it_is_stopped(open_enclave: Opens, engine: str, program: str) -> None:
    limits = Limits(timeout=TIMEOUT, max_denied=10**9)
    stopped(open_enclave(**{**options(), "limits": limits}), program)


@ONE_DRIVER
@pytest.mark.parametrize("engine", ["monty"])
def test_montys_regular_expressions_do_not_backtrack(open_enclave: Opens) -> None:
    enclave = open_enclave(limits=Limits(timeout=30))
    program = "import re\nre.match(r'(a+)+$', 'a' * 60 + 'b') is None"
    assert enclave.run(program).unwrap() is True


@pytest.fixture
def let_go() -> Iterator[threading.Event]:
    """What handlers that never answer wait for, so that their threads end with the test."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("engine", ["monty"])  # the host waits, and the engine with it
@pytest.mark.parametrize("call", ["never()", "await never()"])
def test_a_sync_tool_that_never_answers_is_abandoned(
    open_enclave: Opens, let_go: threading.Event, call: str
) -> None:
    def never() -> None:
        let_go.wait(3600)

    enclave = open_enclave(**options(never))
    stopped(enclave, call)
    record = enclave.history[1]
    assert (record.operation, record.outcome) == ("never", "abandoned")


@pytest.mark.parametrize("engine", ["monty"])
@pytest.mark.parametrize(
    "program",
    ["never()", "import asyncio\nawait asyncio.gather(never(), mark())"],
    ids=["plain", "awaited"],
)
def test_an_async_tool_that_never_answers_is_cancelled(open_enclave: Opens, program: str) -> None:
    cleaned_up = threading.Event()

    async def never() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            cleaned_up.set()

    enclave = open_enclave(**options(never))
    stopped(enclave, program)
    assert wait_until(cleaned_up.is_set)
    assert enclave.history[1].outcome == "abandoned"


def test_an_async_tool_is_cancelled_when_its_run_ends_without_it(open_enclave: Opens) -> None:
    cleaned_up, begun = threading.Event(), threading.Event()

    async def never() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            cleaned_up.set()

    def fail() -> None:
        assert begun.wait(MARGIN)
        raise ValueError("enough")

    enclave = open_enclave(tools=[never, fail])
    error = enclave.run("import asyncio\nawait asyncio.gather(never(), fail())").error
    assert error is not None
    assert error.code is ErrorCode.TOOL_ERROR
    assert enclave.run("1 + 1").unwrap() == 2
    assert wait_until(cleaned_up.is_set)


@ONE_DRIVER
@pytest.mark.parametrize("engine", ["monty"])
def test_a_timeout_that_looks_like_the_start_is_one(
    open_enclave: Opens, let_go: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeout and buffer together are just what the VMs may take to start."""

    def never() -> None:
        let_go.wait(3600)

    enclave = open_enclave(**options(never))
    assert enclave.run("1").success, "and the VMs are running now"
    monkeypatch.setattr("doublevm.host.driver.START_SECONDS", TIMEOUT + BUFFER)
    stopped(enclave, "never()")


def test_a_stopped_runs_deadline_stays_until_the_next() -> None:
    """The relay reads it after the watchdog has acted: it must not find that there is none."""
    hung_up, ours = os.pipe()
    killed = threading.Event()
    watchdog = Watchdog(hung_up)
    watchdog.start()
    watchdog.arm(0.05, killed.set)
    deadline = watchdog.deadline
    assert killed.wait(MARGIN)
    assert watchdog.deadline == deadline
    assert watchdog.disarm() is not None
    assert watchdog.deadline == float("inf")
    assert ours > 0, "kept open until here: a hang-up would end this process"
