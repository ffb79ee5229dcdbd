"""A guest that floods its host with frames is ended, and nobody else notices."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from doublevm import DoubleVM, ErrorCode, Limits, ParentValidation, tool
from doublevm.audit import verify

if TYPE_CHECKING:
    from tests.pool.drivers import Opens

ENGINES = pytest.mark.parametrize("engine", ["monty", "cpython"])
FAST = DoubleVM(
    parent_validation=ParentValidation(
        max_operations_per_second=1_000_000, block_suspicious_sequences=False
    )
)
MANY = Limits(max_tool_calls=1_000_000, max_denied=1_000_000, max_prints=1_000_000)
CALLS = "while True:\n    ping()"
DENIED = "while True:\n    try:\n        nothing.there()\n    except PermissionError:\n        pass"
PRINTS = "while True:\n    print('x')"


@tool
def ping() -> None:
    return None


@ENGINES
@pytest.mark.parametrize(
    ("program", "code", "address"),
    [
        (CALLS, ErrorCode.OPERATION_DENIED, "rate/max_messages_per_second"),
        (PRINTS, ErrorCode.OUTPUT_LIMIT_EXCEEDED, None),
    ],
)
def test_a_flood_ends_its_run(
    open_pool: Opens, engine: str, program: str, code: str, address: str | None
) -> None:
    pool = open_pool(
        tools=[ping],
        double_vm=FAST,
        limits=MANY,
        engine=engine,
        max_workers=1,
        max_messages_per_second=20,
    )
    result = pool.run(program)
    assert result.error is not None
    assert result.error.code == code
    assert result.error.message == "the program sent more than 20 messages within a second"
    assert (result.error.verdict.address if result.error.verdict else None) == address
    assert verify(result.audit) is None
    assert dict(pool.stats.recycled) == {"flood": 1}
    assert pool.run("1").unwrap() == 1


def test_denials_are_messages(open_pool: Opens) -> None:
    program = "for _ in range(100):\n    try:\n        call_tool('nothing')\n"
    program += "    except PermissionError:\n        pass"
    pool = open_pool(tools=[ping], limits=MANY, max_messages_per_second=20)
    result = pool.run(program)
    assert result.error is not None
    assert result.error.code == ErrorCode.OPERATION_DENIED
    assert result.error.operation == "nothing"
    assert len(result.audit) == 21
    assert verify(result.audit) is None


def test_what_keeps_to_the_limit_is_no_flood(open_pool: Opens) -> None:
    pool = open_pool(tools=[ping], double_vm=FAST, max_messages_per_second=20)
    assert pool.run("for _ in range(20):\n    ping()").success


def test_others_go_on(open_pool: Opens) -> None:
    """A guest that was running before the flood ends after it, and as it would have."""
    flooded = threading.Event()

    @tool
    def wait() -> str:
        assert flooded.wait(60)
        return "undisturbed"

    pool = open_pool(
        tools=[ping, wait],
        double_vm=FAST,
        limits=MANY,
        max_workers=2,
        max_messages_per_second=20,
    )
    with ThreadPoolExecutor(1) as threads:
        calm = threads.submit(pool.run, "before = wait()\nping()\nbefore")
        for program in (CALLS, PRINTS):
            assert not pool.run(program).success
        flooded.set()
        assert calm.result(60).unwrap() == "undisturbed"
    assert dict(pool.stats.recycled) == {"flood": 2}


def test_a_conversation_remembers_what_its_flood_did(open_pool: Opens) -> None:
    pool = open_pool(tools=[ping], double_vm=FAST, limits=MANY, max_messages_per_second=20)
    with pool.enclave() as enclave:
        assert not enclave.run(CALLS).success
        assert len(enclave.history) == 21
        assert not enclave.history[-1].verdict.allowed
        assert enclave.run("ping()").success
        assert verify(enclave.history) is None
