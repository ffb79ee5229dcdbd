"""Each run has a fresh guest: what stays of a pair from run to run, and what must not."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from doublevm import (
    DoubleVM,
    Enclave,
    Limits,
    ParentValidation,
    SuspiciousPattern,
    VMCrashed,
    tool,
)
from tests.support.procfs import (
    descendants,
    inner_vms,
    parent_vms,
    read_limits,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOP = "while True: pass"

MARKS = {
    "a global": ("mark = 1", "'mark' in globals()"),
    "a builtin": ("import builtins\nbuiltins.mark = 1", "hasattr(__builtins__, 'mark')"),
    "a changed builtin": ("import builtins\nbuiltins.abs = lambda _: 7", "abs(1) == 7"),
    "a module's attribute": ("import math\nmath.mark = 1", "import math\nhasattr(math, 'mark')"),
    "a module": ("import sys\nsys.modules['mark'] = sys", "import sys\n'mark' in sys.modules"),
    "a class attribute": (
        "import collections\ncollections.Counter.mark = 1",
        "import collections\nhasattr(collections.Counter, 'mark')",
    ),
    "the environment": ("import os\nos.environ['mark'] = '1'", "import os\n'mark' in os.environ"),
    "the recursion limit": (
        "import sys\nsys.setrecursionlimit(4321)",
        "import sys\nsys.getrecursionlimit() == 4321",
    ),
    "warnings": (
        "import warnings\nwarnings.filters.insert(0, 'mark')",
        "import warnings\n'mark' in warnings.filters",
    ),
    "random numbers": (
        "import random\nrandom.seed(5)",
        "import random\nrandom.random() == 0.6229016948897019",
    ),
    "a decimal context": (
        "import decimal\ndecimal.getcontext().prec = 5",
        "import decimal\ndecimal.getcontext().prec == 5",
    ),
    "a signal handler": (
        "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: None)",
        "import signal\ncallable(signal.getsignal(signal.SIGUSR1))",
    ),
    "a profiler": (
        "import sys\nsys.setprofile(lambda *_: None)",
        "import sys\nsys.getprofile() is not None",
    ),
    "an import hook": ("import sys\nsys.meta_path.append(1)", "import sys\n1 in sys.meta_path"),
}  # fmt: skip


@pytest.fixture(scope="module")
def enclave() -> Iterator[Enclave]:
    with Enclave(engine="cpython", tools=[shown]) as made:
        made.run("1")
        yield made


@tool
def shown() -> list[int]:
    """Return the process ids of the guests."""
    return [process.pid for process in inner_vms()]


@pytest.mark.parametrize(("make", "look"), MARKS.values(), ids=MARKS)
def test_nothing_of_a_run_is_seen_by_the_next(enclave: Enclave, make: str, look: str) -> None:
    assert enclave.run(f"{make}\n{look}").unwrap() is True, "the control: it is seen in its own run"
    assert enclave.run(look).unwrap() is False


def test_guests_come_from_one_template(enclave: Enclave) -> None:
    templates = [process.pid for process in descendants() if process.is_template]
    first, second = enclave.run("shown()").unwrap(), enclave.run("shown()").unwrap()
    assert first != second
    assert [process.pid for process in descendants() if process.is_template] == templates


def test_random_numbers_differ_between_guests(enclave: Enclave) -> None:
    program = "import random, os\n(random.random(), os.urandom(8))"
    assert enclave.run(program).unwrap() != enclave.run(program).unwrap()


@pytest.mark.parametrize(("engine", "stays"), [("cpython", True), ("monty", False)])
def test_what_a_timeout_costs(engine: str, stays: bool) -> None:  # noqa: FBT001
    """A cpython guest is forked again; a monty worker cannot be, so its pair is replaced."""
    others = {process.pid for process in parent_vms()}
    with Enclave(engine=engine, limits=Limits(timeout=0.3)) as enclave:
        enclave.run("1")
        (before,) = {process.pid for process in parent_vms()} - others
        result = enclave.run(LOOP)
        assert result.error is not None
        assert result.error.code == "TIMEOUT"
        assert enclave.run("1 + 1").unwrap() == 2
        (after,) = {process.pid for process in parent_vms()} - others
    assert (before == after) is stays


def test_an_answer_that_comes_too_late_is_not_the_next_guests() -> None:
    """More than a pipe holds is on its way to a guest that is killed meanwhile."""
    answered = threading.Event()

    @tool
    def late() -> str:
        answered.wait(0.5)
        return "x" * 300_000

    with Enclave(engine="cpython", tools=[late], limits=Limits(timeout=0.3)) as enclave:
        for _ in range(3):
            result = enclave.run("late()")
            assert result.error is not None
            assert result.error.code == "TIMEOUT"
            assert enclave.run("40 + 2").unwrap() == 42


def test_a_verdict_that_comes_too_late_is_not_the_next_guests() -> None:
    """The parent VM is still judging when it kills the guest, and answers nobody."""

    def think(name: str, _args: object, _history: object) -> bool:
        while name == "late":
            pass
        return False

    pattern = SuspiciousPattern(id="SLOW", description="slow", detect=think)
    double_vm = DoubleVM(parent_validation=ParentValidation(suspicious_patterns=(pattern,)))

    @tool
    def late() -> None:
        raise AssertionError("it is denied")

    limits = Limits(timeout=0.2)
    with Enclave(engine="cpython", tools=[late], limits=limits, double_vm=double_vm) as enclave:
        for _ in range(2):
            result = enclave.run("late()")
            assert result.error is not None
            assert result.error.code == "TIMEOUT"
            assert enclave.run("40 + 2").unwrap() == 42


def test_what_a_guest_left_unsent_is_not_the_next_guests_doing() -> None:
    program = "print('x' * 100_000)\nimport os\nos._exit(5)"
    with Enclave(engine="cpython") as enclave:
        for _ in range(3):
            with pytest.raises(VMCrashed, match="ended with status 5"):
                enclave.run(program)
            result = enclave.run("1")
            assert (result.value, result.stdout) == (1, "")


def waiting(before: set[int]) -> list[int]:
    """Return the guests that have been forked and wait for a program."""
    return [process.pid for process in inner_vms() if process.pid not in before]


def the_one_that_waits(enclave: Enclave, others: set[int]) -> int:
    """Return the guest that waits after a first run, whose own may still be on its way out."""
    (first,) = set(enclave.run("shown()").unwrap()) - others
    assert wait_until(lambda: len(waiting({*others, first})) == 1)
    (spare,) = waiting({*others, first})
    return spare


def test_the_next_guest_waits_for_its_program() -> None:
    others = {process.pid for process in inner_vms()}
    with Enclave(engine="cpython", tools=[shown]) as enclave:
        spare = the_one_that_waits(enclave, others)
        assert set(enclave.run("shown()").unwrap()) - others == {spare}
        assert wait_until(lambda: waiting({*others, spare}))


def test_one_that_waits_and_is_killed_costs_nothing() -> None:
    others = {process.pid for process in inner_vms()}
    with Enclave(engine="cpython", tools=[shown]) as enclave:
        spare = the_one_that_waits(enclave, others)
        os.kill(spare, signal.SIGKILL)
        assert wait_until(lambda: not Path(f"/proc/{spare}").exists())
        time.sleep(0.2)  # its template has waited for it, and tells the parent VM
        assert enclave.run("40 + 2").unwrap() == 42


def test_a_session_gets_a_guest_with_limits_of_its_own() -> None:
    """One that waits has a run's limit on CPU, and a session's guest has none."""
    others = {process.pid for process in inner_vms()}
    with Enclave(engine="cpython", tools=[shown], limits=Limits(timeout=5)) as enclave:
        spare = the_one_that_waits(enclave, others)
        with enclave.session() as session:
            (own,) = set(session.run("shown()").unwrap()) - others
            assert own != spare
            assert read_limits(own)["cpu time"][0] == "unlimited"
            assert set(session.run("shown()").unwrap()) - others == {own}
        assert enclave.run("40 + 2").unwrap() == 42
