"""What gets through: on purpose, or for lack of a mechanism. docs/security/limitations.md lists it.

Each test says how it would be without the limitation, and is expected to fail. One that passes has
lost its reason: take it off the page, and let it stand among the others. A control shows that the
test would notice.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from doublevm import DoubleVM, Enclave, EnclavePool, Limits, tool
from doublevm.host import zygote
from doublevm.jail.filters import STARTING, WORKER
from tests.attacks.outer_jail import available, run_jailed
from tests.processes.conftest import holding
from tests.support.procfs import (
    Process,
    descendants,
    is_alive,
    parent_vms,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm import RunResult

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="looks into other uids' processes")
needs_jail = pytest.mark.skipif(available() is not None, reason=str(available()))


def limitation(reason: str) -> pytest.MarkDecorator:
    """Expect the test's assertion, and nothing else, to fail."""
    return pytest.mark.xfail(reason=reason, strict=True, raises=AssertionError)


def run(program: str, engine: str = "cpython", **options: Any) -> RunResult:
    with Enclave(engine=engine, **options) as enclave:
        return enclave.run(textwrap.dedent(program))


# --- what a program may do --------------------------------------------------------------------

SPIN: Final = """
    import time
    while time.process_time() < 0.3:
        pass
"""


@limitation("a program may burn a CPU for as long as it may run")
def test_a_program_burns_no_cpu() -> None:
    assert run(SPIN).stats.cpu_time < 0.15


def test_control_of_cpu_a_program_that_does_nothing() -> None:
    assert run("1").stats.cpu_time < 0.15


FINEST: Final = """
    import time
    reads = [time.perf_counter_ns() for _ in range(2000)]
    min(b - a for a, b in zip(reads, reads[1:]) if b > a)
"""


@limitation("programs have a fine clock, to measure what others do by")
def test_the_clock_is_coarse() -> None:
    assert run(FINEST).unwrap() >= 100_000


@limitation("the handler decides what becomes of an operation that is called as declared")
def test_what_a_handler_lets_out_is_denied() -> None:
    sent: list[str] = []

    @tool
    def note(text: str) -> None:
        sent.append(text)

    result = run("note(text=confidential)", tools=[note], inputs={"confidential": "the plan"})
    assert not sent, result


@limitation("a harmless operation carries what its arguments say")
def test_arguments_carry_no_hidden_message() -> None:
    asked: list[int] = []

    @tool
    def look_up(number: int) -> int:
        asked.append(number)
        return number

    run("for letter in 'plan': look_up(ord(letter))", tools=[look_up])
    assert bytes(asked) != b"plan"


@limitation("how many CPUs there are is no secret")
def test_a_guest_does_not_learn_of_the_machine() -> None:
    assert run("import os\nlen(os.sched_getaffinity(0))").error is not None


LIE: Final = """
import resource

class Nothing:
    ru_utime = ru_stime = 0.0
    ru_maxrss = 0

resource.getrusage = lambda _: Nothing
"""


@limitation("a program that came to its end has its process say what it used")
def test_a_program_cannot_hide_what_it_used() -> None:
    assert run(LIE).stats.peak_memory > 0


def test_control_of_a_program_that_hides_nothing() -> None:
    assert run("1").stats.peak_memory > 0


def test_control_of_a_program_that_was_stopped() -> None:
    result = run(f"{LIE}while True: pass", limits=Limits(timeout=0.2))
    assert result.stats.peak_memory > 0


FALSE_LINE: Final = """
import sys

class Code:
    co_filename = "<program>"

class Frame:
    f_code, f_lineno = Code, 1000

sys._getframe = lambda _: Frame
note()
"""


def line_of_a_call(program: str) -> int | None:
    @tool
    def note() -> None:
        return None

    (record,) = run(program, tools=[note]).audit
    return record.line


@limitation("the line of a call is what the program's process says")
def test_a_program_cannot_say_another_line() -> None:
    assert line_of_a_call(FALSE_LINE) == 11


def test_control_of_a_program_that_says_nothing_false() -> None:
    assert line_of_a_call(FALSE_LINE.replace("sys._getframe =", "unused =")) == 11


# --- what guests share ------------------------------------------------------------------------


@limitation("all VMs are forks of one zygote, which has chosen the hash seed")
def test_guests_have_hash_seeds_of_their_own() -> None:
    assert run("hash('seed')").unwrap() != run("hash('seed')").unwrap()


@limitation("all VMs are forks of one zygote, whose addresses they have")
def test_guests_have_addresses_of_their_own() -> None:
    assert run("id(len)").unwrap() != run("id(len)").unwrap()


def test_control_of_what_is_shared_hosts_have_zygotes_of_their_own() -> None:
    found = []
    for _ in range(2):
        found.append(run("[hash('seed'), id(len)]").unwrap())
        zygote._end_all()
    (first_hash, first_address), (second_hash, second_address) = found
    assert first_hash != second_hash
    assert first_address != second_address


# --- memory -----------------------------------------------------------------------------------

UNUSED: Final = "memory = bytearray({size})\nmemory[0]"
"""The kernel gives zeros, and no memory before it is written to."""


@limitation("memory is counted when it is mapped, not when it is used")
def test_memory_that_is_not_used_does_not_count() -> None:
    assert run(UNUSED.format(size=300 * 2**20)).error is None


def test_control_of_memory_within_the_limit() -> None:
    assert run(UNUSED.format(size=100 * 2**20)).error is None


# --- what confines ----------------------------------------------------------------------------


@limitation("the worker has the filter that its parent VM started it with")
def test_the_worker_has_the_narrowest_filter() -> None:
    assert {rule.syscall for rule in STARTING.rules} <= {rule.syscall for rule in WORKER.rules}


def uid_of(process: Process) -> int:
    text = (process.folder / "status").read_text()
    return int(text.partition("\nUid:")[2].split()[0])


@limitation("the monty worker has its parent VM's uid")
def test_the_monty_worker_has_a_uid_of_its_own() -> None:
    with holding("monty") as pause:
        assert uid_of(pause.inner) != uid_of(pause.parent)


@needs_root
def test_control_of_uids_a_cpython_guest_has_one() -> None:
    with holding("cpython") as pause:
        assert uid_of(pause.inner) not in {uid_of(pause.parent), 0}


UID_OF_THE_GUEST: Final = """
import os
from doublevm import Enclave

with Enclave(engine="cpython") as enclave:
    print(enclave.run("import os\\nos.getuid()").unwrap() == os.getuid())
"""


@needs_jail
@limitation("a host that is not root cannot give its guests another uid")
def test_guests_of_an_ordinary_user_have_a_uid_of_their_own() -> None:
    done = run_jailed([sys.executable, "-I", "-c", UID_OF_THE_GUEST], timeout=60)
    done.check_returncode()
    assert done.stdout == "False\n"


# --- ending processes -------------------------------------------------------------------------


@contextlib.contextmanager
def stopped_template(enclave: Enclave, program: str) -> Iterator[tuple[Process, Process]]:
    """Run a program on cpython; yield the parent VM and its template, which answers nobody."""
    before = {process.pid for process in descendants()}
    enclave.run("1")
    new = [process for process in descendants() if process.pid not in before]
    (parent,) = [process for process in parent_vms() if process.pid not in before]
    (template,) = [process for process in new if process.is_template]
    begun = threading.Event()
    runner = threading.Thread(target=_run_to_any_end, args=(enclave, f"print()\n{program}", begun))
    runner.start()
    # A guest is there before its program is: one is made in advance.
    assert begun.wait(30)
    os.kill(template.pid, signal.SIGSTOP)
    try:
        yield parent, template
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(template.pid, signal.SIGCONT)
        runner.join()


def _run_to_any_end(enclave: Enclave, program: str, begun: threading.Event) -> None:
    with contextlib.suppress(Exception):
        enclave.run(program, on_output=lambda *_: begun.set())


@needs_root
@limitation("a guest is killed through its template, which has to be well")
def test_a_guest_is_killed_without_its_template() -> None:
    options = DoubleVM(parent_timeout_buffer=2.0)
    limits = Limits(timeout=1.0)
    with Enclave(engine="cpython", limits=limits, double_vm=options) as enclave:
        began = time.monotonic()
        with stopped_template(enclave, "while True: pass") as (_, template):
            guests = [each.pid for each in descendants() if each.parent == template.pid]
            assert wait_until(lambda: not any(map(is_alive, guests)), seconds=2.0), (
                time.monotonic() - began
            )


@needs_root
def test_the_host_ends_what_the_parent_vm_cannot() -> None:
    """What stands behind the limitation above."""
    options = DoubleVM(parent_timeout_buffer=0.5)
    limits = Limits(timeout=0.5)
    with Enclave(engine="cpython", limits=limits, double_vm=options) as enclave:
        with stopped_template(enclave, "while True: pass") as (parent, template):
            guests = [each.pid for each in descendants() if each.parent == template.pid]
            everything = [parent.pid, template.pid, *guests]
            assert wait_until(lambda: not any(map(is_alive, everything)))
        assert enclave.run("1 + 1").value == 2


# --- pools ------------------------------------------------------------------------------------


def parents_of_runs(**options: Any) -> list[int]:
    """Return the parent VM of each of two conversations, as seen from their only tool."""
    seen: list[int] = []

    @tool
    def look() -> None:
        seen.extend(process.pid for process in parent_vms())

    with EnclavePool(tools=[look], engine="monty", max_workers=1, **options) as pool:
        for _ in range(2):
            pool.run("look()").unwrap()
    return seen


@limitation("conversations of a pool follow each other in the same pairs")
def test_conversations_of_a_pool_share_no_process() -> None:
    first, second = parents_of_runs()
    assert first != second


def test_control_of_pools_a_pair_for_each_run() -> None:
    first, second = parents_of_runs(max_executions_per_worker=1)
    assert first != second


# --- the page ---------------------------------------------------------------------------------


def test_every_limitation_is_on_the_page() -> None:
    page = Path(__file__).parents[2] / "docs" / "security" / "limitations.md"
    text = page.read_text(encoding="utf-8")
    tests = [
        name
        for name, value in globals().items()
        if name.startswith("test_")
        and any(mark.name == "xfail" for mark in getattr(value, "pytestmark", ()))
    ]
    assert tests
    for name in tests:
        assert f"`{name}`" in text
    assert text.count("`test_") == len(tests)
