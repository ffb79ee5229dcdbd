"""Tools that are awaited run at the same time in the host; others run one after another.

Handlers here wait for one another, so a call that is not made while the others are under way
fails its test, however slow the machine is.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ErrorCode, tool
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Opens, Runs

PATIENCE = 20.0
PARTIES = 3

CONCURRENT: dict[str, str] = {
    "gather": "await asyncio.gather(meet(0), meet(1), meet(2))",
    "gather of a list": "await asyncio.gather(*[meet(n) for n in range(3)])",
    "gather of a generator": "await asyncio.gather(*(meet(n) for n in range(3)))",
    "gather of a tuple": "calls = (meet(0), meet(1), meet(2))\nawait asyncio.gather(*calls)",
    "gather by keyword": "r = await asyncio.gather(meet(n=0), meet(n=1), meet(n=2))\nr",
    "a list with append": (
        "tasks = []\nfor n in range(3):\n    tasks.append(meet(n))\nawait asyncio.gather(*tasks)"
    ),
    "a list that grows": (
        "tasks = [meet(0)]\ntasks += [meet(1)]\ntasks.extend([meet(2)])\n"
        "await asyncio.gather(*tasks)"
    ),
    "a dict's values": (
        "tasks = {}\nfor n in range(3):\n    tasks[n] = meet(n)\n"
        "list(await asyncio.gather(*tasks.values()))"
    ),
    "names": "a = meet(0)\nb = meet(1)\nc = meet(2)\nawait asyncio.gather(a, b, c)",
    "inside main": (
        "async def main():\n    return await asyncio.gather(*[meet(n) for n in range(3)])\n"
        "asyncio.run(main())"
    ),
    "through an async function": (
        "async def one(n):\n    got = await meet(n)\n    return got\n"
        "await asyncio.gather(one(0), one(1), one(2))"
    ),
    "gather under another name": (
        "from asyncio import gather as all_of\nawait all_of(meet(0), meet(1), meet(2))"
    ),
    "call_tool": "await asyncio.gather(*[call_tool('meet', {'n': n}) for n in range(3)])",
    "a namespace": "await asyncio.gather(*[people.meet(n) for n in range(3)])",
    "a tool under another name": "f = meet\nawait asyncio.gather(*[f(n) for n in range(3)])",
    "with a top-level return": (
        "if True:\n    return await asyncio.gather(meet(0), meet(1), meet(2))"
    ),
}

CONCURRENT_ON_CPYTHON: dict[str, str] = {
    "create_task": (
        "tasks = [asyncio.create_task(meet(n)) for n in range(3)]\n[await t for t in tasks]"
    ),
    "create_task by name": (
        "async def main():\n    a = asyncio.create_task(meet(0))\n"
        "    b = asyncio.create_task(meet(1))\n    c = await meet(2)\n"
        "    return [await a, await b, c]\n"
        "asyncio.run(main())"
    ),
    "as_completed": (
        "found = []\nfor one in asyncio.as_completed([meet(n) for n in range(3)]):\n"
        "    found.append(await one)\nsorted(found)"
    ),
    "a task group": (
        "async def main():\n    async with asyncio.TaskGroup() as group:\n"
        "        tasks = [group.create_task(meet(n)) for n in range(3)]\n"
        "    return [t.result() for t in tasks]\nasyncio.run(main())"
    ),
    "wait": (
        "done, _ = await asyncio.wait([asyncio.ensure_future(meet(n)) for n in range(3)])\n"
        "sorted(t.result() for t in done)"
    ),
    "gather with exceptions": (
        "await asyncio.gather(*[meet(n) for n in range(3)], return_exceptions=True)"
    ),
    "a semaphore": (
        "slots = asyncio.Semaphore(3)\nasync def one(n):\n    async with slots:\n"
        "        return await meet(n)\nawait asyncio.gather(*[one(n) for n in range(3)])"
    ),
    "map": "await asyncio.gather(*map(meet, range(3)))",
    "wait_for": (
        "await asyncio.gather(*[asyncio.wait_for(meet(n), timeout=60) for n in range(3)])"
    ),
}


class Meeting:
    """Where the calls of one test wait for one another; each test begins a new one."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.barrier = threading.Barrier(PARTIES)
        self.async_barrier = asyncio.Barrier(PARTIES)


meeting = Meeting()


def meet(n: int) -> int:
    meeting.barrier.wait(PATIENCE)
    return n


async def meet_async(n: int) -> int:
    await asyncio.wait_for(meeting.async_barrier.wait(), PATIENCE)
    return n


TOOLS = [
    meet,
    meet_async,
    tool(name="people:meet")(meet),
    tool(name="people:meet_async")(meet_async),
]


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    options = {"engine": engine, "tools": TOOLS}
    with opened(driver, **options) as enclave, enclave.session() as session:
        yield session


@pytest.mark.parametrize("handler", ["meet", "meet_async"])
@pytest.mark.parametrize("name", CONCURRENT)
def test_awaited_calls_run_at_the_same_time(guest: Runs, handler: str, name: str) -> None:
    meeting.begin()
    result = guest.run("import asyncio\n" + CONCURRENT[name].replace("meet", handler))
    assert result.unwrap() == [0, 1, 2]
    assert [record.outcome for record in result.audit] == ["returned"] * 3


@pytest.fixture(scope="module")
def cpython_guest(driver: Driver) -> Iterator[Runs]:
    """Monty's asyncio has run, gather and sleep only."""
    with opened(driver, engine="cpython", tools=TOOLS) as enclave, enclave.session() as session:
        yield session


@pytest.mark.parametrize("handler", ["meet", "meet_async"])
@pytest.mark.parametrize("name", CONCURRENT_ON_CPYTHON)
def test_more_of_asyncio_on_cpython(cpython_guest: Runs, handler: str, name: str) -> None:
    meeting.begin()
    program = CONCURRENT_ON_CPYTHON[name].replace("meet", handler)
    assert cpython_guest.run("import asyncio\n" + program).unwrap() == [0, 1, 2]


def in_reverse() -> Any:
    """Return a tool whose call number n ends only when number n + 1 has."""
    done = [threading.Event() for _ in range(PARTIES + 1)]
    done[PARTIES].set()

    def finish(n: int) -> int:
        assert done[n + 1].wait(PATIENCE)
        done[n].set()
        return n

    return finish


def test_results_come_in_the_order_of_the_calls(open_enclave: Opens) -> None:
    program = "import asyncio\nawait asyncio.gather(*[finish(n) for n in range(3)])"
    assert open_enclave(tools=[in_reverse()]).run(program).unwrap() == [0, 1, 2]


@pytest.mark.parametrize("engine", ["cpython"])  # monty has no as_completed
def test_as_completed_gives_them_as_they_come(open_enclave: Opens) -> None:
    program = (
        "import asyncio\nfound = []\n"
        "for one in asyncio.as_completed([finish(n) for n in range(3)]):\n"
        "    found.append(await one)\nfound"
    )
    # Results that arrive together are in no order: the last call is first to be known, at least.
    assert sorted(open_enclave(tools=[in_reverse()]).run(program).unwrap()) == [0, 1, 2]


def test_a_call_left_behind_does_not_reach_the_next_run(open_enclave: Opens) -> None:
    """The first run ends with its third call under way; the second makes two calls."""
    let_go, ended = threading.Event(), threading.Event()

    def answer(what: str) -> str:
        return what

    def stuck() -> str:
        let_go.wait(PATIENCE)
        ended.set()
        return "of the first run"

    def fail() -> None:
        raise ValueError("enough")

    def wait_for_it() -> bool:
        let_go.set()
        over = ended.wait(PATIENCE)
        time.sleep(0.1)  # so that what comes late does come in this run
        return over

    enclave = open_enclave(tools=[answer, stuck, fail, wait_for_it])
    first = enclave.run(
        "import asyncio\nawait asyncio.gather(answer('a'), answer('b'), stuck(), fail())"
    )
    assert first.error is not None
    assert first.error.code is ErrorCode.TOOL_ERROR
    second = enclave.run("[wait_for_it(), answer('c')]")
    assert second.unwrap() == [True, "c"]
    assert enclave.run("await answer('d')").unwrap() == "d"
    stuck_record = next(r for r in enclave.history if r.operation == "stuck")
    assert (stuck_record.run, stuck_record.outcome) == (1, "abandoned")
