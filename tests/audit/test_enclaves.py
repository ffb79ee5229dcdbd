"""What enclaves give to their sinks, when, and what happens if a sink does not take it."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import AsyncEnclave, ConfigError, Deny, Enclave, ErrorCode, Limits, ScoringGate
from doublevm.audit import (
    Attempt,
    CallableSink,
    Ended,
    JsonlSink,
    Program,
    SqliteSink,
    read_trail,
    verify,
    verify_trail,
)
from tests.audit.making import opened
from tests.pool.drivers import opened_pool
from tests.support.procfs import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from doublevm.host.sinks.entries import AnyEntry
    from tests.behaviour.drivers import Driver, Opens


def hello(name: str = "you") -> str:
    return f"hello {name}"


def test_every_operation_is_stored_with_its_outcome(
    open_enclave: Opens, kind: str, tmp_path: Path
) -> None:
    def fail() -> None:
        raise ValueError("no")

    program = """
for name in ["ada", "grace"]:
    hello(name)
try:
    fail()
except ValueError:
    pass
try:
    call_tool("users:drop", {"all": True})
except PermissionError:
    pass
"""
    with opened(kind, tmp_path) as sink:
        enclave = open_enclave(tools=[hello, fail], audit=sink)
        result = enclave.run(program)
        assert result.success, result.error
        stored = list(read_trail(sink.path).operations())
    assert [(each.operation, each.arguments, each.outcome) for each in stored] == [
        ("hello", {"name": "ada"}, "returned"),
        ("hello", {"name": "grace"}, "returned"),
        ("fail", {}, "raised"),
        ("users:drop", {"all": True}, "denied"),
    ]
    for here, there in zip(enclave.history, stored, strict=True):
        assert (here.number, here.run, here.timestamp) == (there.number, there.run, there.time)
        assert here.verdict == there.verdict
        assert here.duration == there.duration
        assert here.line == there.line
    assert [each.line for each in stored] == [3, 3, 5, 9]
    assert verify(enclave.history) is None
    found = verify_trail(sink.path)
    assert found.ok, found.faults
    assert (found.attempts, found.unknown) == (4, 0)


def test_the_attempt_is_stored_before_its_handler_starts(
    open_enclave: Opens, kind: str, tmp_path: Path
) -> None:
    with opened(kind, tmp_path) as sink:
        seen: list[list[tuple[int, str]]] = []

        def look(n: int) -> None:
            seen.append([(x.arguments["n"], x.outcome) for x in read_trail(sink.path).operations()])

        open_enclave(tools=[look], audit=sink).run("look(1)\nlook(2)")
    assert seen == [[(1, "unknown")], [(1, "returned"), (2, "unknown")]]


def test_concurrent_calls_are_all_stored(open_enclave: Opens, kind: str, tmp_path: Path) -> None:
    program = "import asyncio\nawait asyncio.gather(*[hello(str(i)) for i in range(10)])"
    with opened(kind, tmp_path) as sink:
        assert open_enclave(tools=[hello], audit=sink).run(program).success
        stored = list(read_trail(sink.path).operations())
    assert [each.outcome for each in stored] == ["returned"] * 10


class Fails:
    """A sink that takes nothing, or nothing from some entry on."""

    blocking = False

    def __init__(self, *, required: bool, after: int = 0) -> None:
        self.required, self.after, self.entries = required, after, 0

    def write(self, entries: Any) -> None:
        self.entries += len(entries)
        if self.entries > self.after:
            raise OSError("secret words")


def test_without_its_record_no_handler_runs(open_enclave: Opens) -> None:
    ran: list[int] = []

    def act() -> None:
        ran.append(1)

    enclave = open_enclave(tools=[act], audit=Fails(required=True))
    result = enclave.run("""
try:
    act()
except PermissionError as error:
    said = str(error)
said
""")
    assert ran == []
    assert result.value == "act denied: it could not be put on record [audit/unavailable]"
    (record,) = result.audit
    assert record.verdict == Deny("audit", "unavailable", "it could not be put on record")
    assert record.outcome == "denied"
    assert (result.stats.tool_calls, result.stats.denied) == (0, 1)
    assert verify(enclave.history) is None


def write(text: str) -> str:
    return text


def test_a_denial_of_the_host_ends_a_program_as_any_other(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=[write], audit=Fails(required=True))
    result = enclave.run("write('x')")
    assert result.error is not None
    assert result.error.code == ErrorCode.OPERATION_DENIED
    assert result.error.operation == "write"
    assert result.error.verdict is not None
    assert result.error.verdict.address == "audit/unavailable"
    assert "secret" not in str(result.error)


def test_too_many_of_them_end_the_run(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=[write], audit=Fails(required=True), limits=Limits(max_denied=3))
    program = """
for i in range(50):
    try:
        write('x')
    except PermissionError:
        pass
"""
    result = enclave.run(program)
    assert result.error is not None
    assert result.error.code == ErrorCode.OPERATION_DENIED
    assert result.stats.denied == 3


def test_concurrent_ones_are_denied_too(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=[write], audit=Fails(required=True))
    program = """
import asyncio
async def one(i):
    try:
        return await write(str(i))
    except PermissionError:
        return "denied"
await asyncio.gather(*[one(i) for i in range(3)])
"""
    assert enclave.run(program).value == ["denied"] * 3


def test_the_log_says_once_what_fails_and_nothing_secret(
    open_enclave: Opens, caplog: pytest.LogCaptureFixture
) -> None:
    enclave = open_enclave(tools=[write], audit=Fails(required=False))
    enclave.run("write('secret words')\nwrite('secret words')")
    assert caplog.messages == ["an audit sink does not keep records: Fails: OSError"]


def test_the_twin_what_is_not_required_stops_nothing(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=[write], audit=Fails(required=False))
    assert enclave.run("write('x')").value == "x"


def test_a_sink_that_fails_later_denies_what_comes_later(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=[write], audit=Fails(required=True, after=2))
    assert enclave.run("write('x')").value == "x"
    assert not enclave.run("write('x')").success


def test_one_of_several_suffices_to_deny(open_enclave: Opens) -> None:
    kept: list[AnyEntry] = []
    sinks = [CallableSink(kept.append), Fails(required=True)]
    result = open_enclave(tools=[write], audit=sinks).run("write('x')")
    assert result.stats.denied == 1
    program, attempted, given_up = kept
    assert isinstance(program, Program)
    assert isinstance(attempted, Attempt), "and the others still learn of it"
    assert isinstance(given_up, Ended)
    assert given_up.outcome == "abandoned", "also that nothing came of it"
    assert attempted.number == given_up.number


def test_async_functions_are_awaited(open_enclave: Opens) -> None:
    kept: list[AnyEntry] = []

    async def keep(entry: AnyEntry) -> None:
        await asyncio.sleep(0)
        kept.append(entry)

    ran: list[int] = []

    def look() -> None:
        ran.append(len(kept))

    enclave = open_enclave(tools=[look], audit=CallableSink(keep, required=True))
    enclave.run("look()\nlook()")
    assert [type(entry) for entry in kept] == [Program, Attempt, Ended, Attempt, Ended]
    assert ran == [2, 4]


class Keeper:
    """Can be called as the async function that it is made of."""

    def __init__(self, keep: Any) -> None:
        self._keep = keep

    async def __call__(self, entry: AnyEntry) -> None:
        await self._keep(entry)


def around(keep: Any) -> Any:
    def plain(entry: AnyEntry) -> Any:
        return keep(entry)

    return plain


HIDING: dict[str, Any] = {
    "a partial function": functools.partial,
    "an object that can be called": Keeper,
    "a plain function around it": around,
}


@pytest.mark.parametrize("hidden", HIDING.values(), ids=HIDING)
def test_async_functions_that_look_plain_are_awaited(open_enclave: Opens, hidden: Any) -> None:
    kept: list[AnyEntry] = []

    async def keep(entry: AnyEntry) -> None:
        kept.append(entry)

    sink = CallableSink(hidden(keep), required=True)
    open_enclave(tools=[write], audit=sink).run("write('x')")
    assert [type(entry) for entry in kept] == [Program, Attempt, Ended]


def test_async_functions_that_look_plain_may_refuse(open_enclave: Opens) -> None:
    async def fail(_: AnyEntry) -> None:
        raise OSError

    sink = CallableSink(functools.partial(fail), required=True)
    assert open_enclave(tools=[write], audit=sink).run("write('x')").stats.denied == 1


def test_an_async_sink_is_awaited_in_the_callers_loop() -> None:
    loops = []

    async def keep(_: AnyEntry) -> None:
        loops.append(asyncio.get_running_loop())

    async def main() -> asyncio.AbstractEventLoop:
        async with AsyncEnclave(tools=[write], audit=CallableSink(keep), engine="monty") as enclave:
            await enclave.run("write('x')")
        return asyncio.get_running_loop()

    loop = asyncio.run(main())
    assert loops == [loop, loop, loop]


def test_a_sink_that_waits_does_not_stop_the_loop() -> None:
    free = threading.Event()

    async def main() -> Any:
        sink = CallableSink(lambda _: free.wait(60))
        async with AsyncEnclave(tools=[write], audit=sink, engine="monty") as enclave:
            run = asyncio.create_task(enclave.run("write('x')"))
            await asyncio.sleep(0.5)
            assert not run.done()
            free.set()
            return await run

    assert asyncio.run(main()).value == "x"


def test_a_run_that_was_given_up_leaves_abandoned_operations(
    open_enclave: Opens, kind: str, tmp_path: Path
) -> None:
    def wait() -> None:
        time.sleep(30)

    with opened(kind, tmp_path) as sink:
        enclave = open_enclave(tools=[wait], audit=sink, limits=Limits(timeout=0.5))
        result = enclave.run("wait()")
        assert not result.success
        (stored,) = read_trail(sink.path).operations()
    assert stored.outcome == "abandoned"
    assert verify_trail(sink.path).unknown == 0


def test_an_attempt_that_is_being_written_when_its_run_is_given_up_is_abandoned(
    open_enclave: Opens, kind: str, tmp_path: Path
) -> None:
    ran, go_on = threading.Event(), threading.Event()

    def act() -> None:
        ran.set()

    with opened(kind, tmp_path) as kept:
        slow = Slow(kept, go_on)
        enclave = open_enclave(tools=[act], audit=slow, limits=Limits(timeout=0.5))
        assert not enclave.run("act()").success
        go_on.set()
        assert wait_until(lambda: verify_trail(kept.path).entries == 4, 30)
        (stored,) = read_trail(kept.path).operations()
    assert stored.outcome == "abandoned"
    assert verify_trail(kept.path).unknown == 0
    assert not ran.is_set()


@pytest.mark.parametrize("moment", ["attempt", "handler", "outcome"])
def test_a_run_that_is_cancelled_leaves_no_operation_unknown(
    moment: str, kind: str, tmp_path: Path
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def act() -> None:
        if moment == "handler":
            begun.set()
            await asyncio.sleep(60)

    async def main(sink: Slow) -> None:
        async with AsyncEnclave(tools=[act], audit=sink, engine="monty") as enclave:
            run = asyncio.create_task(enclave.run("act()"))
            await asyncio.to_thread((begun if moment == "handler" else sink.waits).wait, 30)
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            go_on.set()
            is_told = lambda: verify_trail(sink.kept.path).entries == 4  # noqa: E731
            assert await asyncio.to_thread(wait_until, is_told, 30)

    with opened(kind, tmp_path) as kept:
        slow = {"attempt": Attempt, "handler": (), "outcome": Ended}[moment]
        asyncio.run(main(Slow(kept, go_on, slow)))
        (stored,) = read_trail(kept.path).operations()
    assert stored.outcome == ("returned" if moment == "outcome" else "abandoned")
    found = verify_trail(kept.path)
    assert found.entries == 5, "its outcome was told of once"
    assert found.unknown == 0


class Slow:
    """A sink that waits before it keeps entries of a kind."""

    required = blocking = True

    def __init__(self, kept: Any, go_on: threading.Event, kind: Any = Attempt) -> None:
        self.kept, self.go_on, self.kind = kept, go_on, kind
        self.waits = threading.Event()

    def write(self, entries: Any) -> None:
        if any(isinstance(entry, self.kind) for entry in entries):
            self.waits.set()
            assert self.go_on.wait(60)
        self.kept.write(entries)


def test_the_end_of_a_run_ends_no_writing() -> None:
    """What awaits an async sink is no handler, which would be cancelled."""
    kept: list[str] = []

    async def keep(entry: AnyEntry) -> None:
        await asyncio.sleep(4.0 if isinstance(entry, Attempt) else 0.0)
        kept.append(getattr(entry, "outcome", type(entry).__name__))

    sink = CallableSink(keep, required=True)
    limits = Limits(timeout=0.5)
    with Enclave(tools=[hello], audit=sink, engine="monty", limits=limits) as enclave:
        assert not enclave.run("hello()").success
        assert wait_until(lambda: len(kept) == 3, 30)
    assert kept == ["Program", "Attempt", "abandoned"]


def test_no_handler_starts_once_its_run_was_given_up(open_enclave: Opens) -> None:
    """The sink takes longer than the run may."""
    go_on, ran = threading.Event(), threading.Event()

    def act() -> None:
        ran.set()

    sink = CallableSink(lambda _: go_on.wait(60), required=True)
    enclave = open_enclave(tools=[act], audit=sink, limits=Limits(timeout=0.5))
    result = enclave.run("act()")
    assert result.error is not None
    assert result.error.code == ErrorCode.TIMEOUT
    go_on.set()
    assert not ran.wait(0.5)
    assert [record.outcome for record in result.audit] == ["abandoned"]


def test_the_conversations_of_a_pool_share_a_sink(
    driver: Driver, kind: str, tmp_path: Path
) -> None:
    with opened(kind, tmp_path) as sink, opened_pool(driver, tools=[hello], audit=sink) as pool:
        with pool.enclave() as enclave:
            enclave.run("hello()")
            enclave.run("hello()")
        pool.run("hello()")
        stored = list(read_trail(sink.path).operations())
        assert verify_trail(sink.path).ok
    names = [each.enclave for each in stored]
    assert names[0] == names[1] != names[2]
    assert [(each.run, each.number) for each in stored] == [(1, 1), (2, 2), (1, 1)]


@pytest.mark.parametrize("audit", ["trail.sqlite", 7, [7], object(), [None]])
def test_what_is_no_sink_is_refused(audit: Any) -> None:
    with pytest.raises(ConfigError, match=r"^audit must be a sink"):
        Enclave(audit=audit)


def test_several_enclaves_may_share_a_sink(tmp_path: Path) -> None:
    with SqliteSink(tmp_path / "a.sqlite") as one, JsonlSink(tmp_path / "a.jsonl") as other:
        for _ in range(2):
            with Enclave(tools=[hello], audit=[one, other], engine="monty") as enclave:
                enclave.run("hello()")
        assert len({each.enclave for each in read_trail(one.path).operations()}) == 2
        assert len({each.enclave for each in read_trail(other.path).operations()}) == 2


def test_a_program_whose_score_cannot_be_stored_does_not_run(open_enclave: Opens) -> None:
    ran: list[int] = []

    def act() -> None:
        ran.append(1)

    for sink, runs in ((Fails(required=True), False), (Fails(required=False), True)):
        enclave = open_enclave(tools=[act], audit=sink, scoring_gate=ScoringGate())
        for _ in range(2):  # the second time, it is known
            result = enclave.run("act()")
            assert result.success is runs
            if not runs:
                assert result.error is not None
                assert result.error.code is ErrorCode.SCORING_BLOCKED
                assert result.error.verdict is not None
                assert result.error.verdict.address == "audit/unavailable"
                assert "it could not be put on record [audit/unavailable]" in str(result.error)
                assert verify(enclave.history) is None
        assert bool(ran) is runs


def test_a_score_is_stored_before_its_program_begins(
    open_enclave: Opens, kind: str, tmp_path: Path
) -> None:
    gate = ScoringGate(block_threshold=30)
    blocked = "for each in range(3):\n    hello(str(each))\nhello(name='*')"
    with opened(kind, tmp_path) as sink:
        enclave = open_enclave(tools=[hello], audit=sink, scoring_gate=gate)
        assert enclave.run("hello()").success
        for _ in range(2):  # the second time, it is known
            error = enclave.run(blocked).error
            assert error is not None
            assert error.code is ErrorCode.SCORING_BLOCKED
        stored = list(read_trail(sink.path).operations())
    assert [(each.operation, each.outcome, each.verdict.allowed) for each in stored] == [
        ("", "scored", True),
        ("hello", "returned", True),
        ("", "scored", False),
        ("", "scored", False),
    ]
    assert stored[2].arguments["decision"] == "block"
    assert verify_trail(sink.path).ok
