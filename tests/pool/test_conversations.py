"""Each run of a pool is a conversation of its own, though they share pairs; an enclave is one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import DoubleVM, ParentValidation, SuspiciousPattern, tool
from doublevm.audit import verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doublevm import OperationHistoryEntry
    from tests.pool.drivers import Opens

ENGINES = pytest.mark.parametrize("engine", ["monty", "cpython"])


@tool(name="users:list")
def list_users() -> list[str]:
    return ["ada"]


@tool(name="mail:send")
def send_mail(text: str) -> str:
    return text


TOOLS = [list_users, send_mail]
READ, SEND = "users.list()", "mail.send(text='x')"


@ENGINES
def test_a_sequence_over_two_runs_of_the_pool_is_none(open_pool: Opens, engine: str) -> None:
    pool = open_pool(tools=TOOLS, max_workers=1, engine=engine)
    pool.run(READ).unwrap()
    assert pool.run(SEND).unwrap() == "x"
    assert pool.stats.started == 1


def test_a_sequence_over_two_runs_of_an_enclave_is_one(open_pool: Opens) -> None:
    pool = open_pool(tools=TOOLS, max_workers=1)
    with pool.enclave() as enclave:
        enclave.run(READ).unwrap()
        error = enclave.run(SEND).error
    assert error.verdict.address == "sequence/EXFIL_LIST_SEND"
    assert pool.run(SEND).unwrap() == "x"


def test_a_sequence_is_one_whichever_workers_serve_it(open_pool: Opens) -> None:
    """Between two runs of an enclave its worker serves others, and forgets them all the same."""
    pool = open_pool(tools=TOOLS, max_workers=1)
    with pool.enclave() as one, pool.enclave() as other:
        one.run(READ).unwrap()
        assert other.run(SEND).unwrap() == "x"
        assert one.run(SEND).error.verdict.address == "sequence/EXFIL_LIST_SEND"
        assert other.run(SEND).unwrap() == "x"
        with one.session() as session:
            assert session.run(SEND).error.verdict.address == "sequence/EXFIL_LIST_SEND"
    assert pool.stats.started == 1


def test_rates_are_each_conversations_own(open_pool: Opens) -> None:
    slow = DoubleVM(parent_validation=ParentValidation(max_operations_per_second=2))
    pool = open_pool(tools=[send_mail], double_vm=slow, max_workers=1)
    for _ in range(5):
        pool.run(f"{SEND}\n{SEND}").unwrap()
    with pool.enclave() as enclave:
        enclave.run(f"{SEND}\n{SEND}").unwrap()
        again = enclave.run(SEND)
    # Unless the machine took more than a second between them.
    assert again.success or again.error.verdict.address == "rate/max_operations_per_second"


def remembers(limit: int) -> SuspiciousPattern:
    asked: list[str] = []

    def detect(
        name: str, _args: Mapping[str, Any], _history: Sequence[OperationHistoryEntry]
    ) -> bool:
        asked.append(name)
        return len(asked) > limit

    return SuspiciousPattern(id="OFTEN", description="asked often", detect=detect)


def test_what_a_detector_has_kept_is_not_the_next_ones(open_pool: Opens) -> None:
    validation = ParentValidation(suspicious_patterns=(remembers(2),))
    pool = open_pool(
        tools=[send_mail], double_vm=DoubleVM(parent_validation=validation), max_workers=1
    )
    for _ in range(3):
        assert pool.run(f"{SEND}\n{SEND}").success
    error = pool.run(f"{SEND}\n{SEND}\n{SEND}").error
    assert error is not None
    assert error.verdict is not None
    assert error.verdict.address == "sequence/OFTEN"


def test_each_has_an_audit_trail_that_verifies(open_pool: Opens) -> None:
    pool = open_pool(tools=TOOLS, max_workers=1)
    results = [pool.run(READ), pool.run(f"{READ}\n{READ}")]
    for result, length in zip(results, (1, 2), strict=True):
        assert verify(result.audit) is None
        assert [record.number for record in result.audit] == list(range(1, length + 1))
        assert {record.run for record in result.audit} == {1}
    with pool.enclave() as enclave:
        enclave.run(READ)
        pool.run(READ)
        enclave.run(READ)
        assert verify(enclave.history) is None
        assert [(record.number, record.run) for record in enclave.history] == [(1, 1), (2, 2)]


@ENGINES
def test_a_guest_finds_nothing_of_the_last_one(open_pool: Opens, engine: str) -> None:
    pool = open_pool(max_workers=1, engine=engine)
    pool.run("kept = 1").unwrap()
    assert "kept" in str(pool.run("kept").error)
    with pool.enclave() as enclave:
        with enclave.session() as session:
            session.run("kept = 2")
            assert session.run("kept").unwrap() == 2
        assert "kept" in str(enclave.run("kept").error)
    assert "kept" in str(pool.run("kept").error)


def test_an_enclave_needs_a_worker_for_its_runs_and_sessions_only(open_pool: Opens) -> None:
    pool = open_pool(max_workers=1)
    with pool.enclave() as enclave:
        enclave.run("1")
        assert pool.stats.active == 0
        with enclave.session() as session:
            session.run("1")
            assert pool.stats.active == 1
        assert pool.stats.active == 0


def test_a_late_answer_is_not_given_to_the_next_guest(open_pool: Opens) -> None:
    """A handler of the last conversation ends while the next one waits for the same call."""
    held, begun, waits = threading.Event(), threading.Event(), threading.Event()

    @tool(name="slow")
    def slow(who: str) -> str:
        if who == "first":
            begun.set()
            held.wait(20)
        else:
            held.set()
            waits.wait(0.2)
        return who

    program = "import asyncio\ntask = asyncio.gather(slow('{0}'), quick('{0}'))\n{1}"
    pool = open_pool(
        tools=[slow, tool(name="quick")(lambda who: begun.wait(20) and who)],
        max_workers=1,
        engine="cpython",
    )
    first = "import asyncio\nasync def main():\n    asyncio.create_task(slow('first'))\n"
    first += "    return await quick('first')\nawait main()"
    assert pool.run(first).unwrap() == "first"
    assert pool.run(program.format("second", "await task")).unwrap() == ["second", "second"]


def test_many_threads_at_once(open_pool: Opens) -> None:
    pool = open_pool(tools=[send_mail], max_workers=2, max_queue_size=100)
    with ThreadPoolExecutor(16) as threads:
        programs = [f"mail.send(text='{number}')" for number in range(64)]
        results = list(threads.map(pool.run, programs))
    assert [result.unwrap() for result in results] == [str(number) for number in range(64)]
    assert all(len(result.audit) == 1 for result in results)
    assert pool.stats.started <= 2


def test_what_a_run_is_given(open_pool: Opens) -> None:
    pool = open_pool(inputs={"base": 2})
    heard: list[tuple[str, str]] = []
    result = pool.run(
        "print(base * more)", inputs={"more": 21}, on_output=lambda *said: heard.append(said)
    )
    assert result.stdout == "42\n"
    assert "".join(text for _, text in heard) == "42\n"
    assert result.confinement is not None
