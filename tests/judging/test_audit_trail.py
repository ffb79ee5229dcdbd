"""The audit trail end to end: one record for each attempt, whatever becomes of the run."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import Allow, Deny, DoubleVM, Limits, VMCrashed, tool
from doublevm.audit import verify
from tests.judging.driving import DRIVERS, ENGINES, Driven, Driver, Engine, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doublevm import AuditRecord

pytestmark = [
    pytest.mark.parametrize("driver", DRIVERS),
    pytest.mark.parametrize("engine", ENGINES),
]


class Host:
    """Tools whose handlers do something to the enclave they belong to."""

    def __init__(self) -> None:
        self.enclave: Driven | None = None
        self.seen: list[AuditRecord] = []
        self.release = threading.Event()

    def tools(self) -> list[Any]:
        return [
            tool(name="users:list")(lambda: "rows"),
            tool(name="mail:send")(lambda: None),
            tool(name="notes:add")(self.add),
            tool(name="notes:fail")(self.fail),
            tool(name="notes:odd")(self.odd),
            tool(name="notes:look")(self.look),
            tool(name="vm:kill")(self.kill),
            tool(name="vm:kill_soon")(self.kill_soon),
            tool(name="vm:stay")(self.stay),
            tool(name="vm:kill_and_stay")(self.kill_and_stay),
        ]

    def add(self, text: str = "", items: list[Any] | None = None) -> int:
        if items is not None:
            items.append("added by the handler")
        time.sleep(0.02)
        return len(text)

    def fail(self) -> None:
        raise ValueError("the handler failed")

    def odd(self) -> object:
        return object()  # nothing that could cross

    def look(self) -> None:
        assert self.enclave is not None
        self.seen = list(self.enclave.history)

    def kill(self) -> None:
        assert self.enclave is not None
        pid = self.enclave.parent_pid
        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # reaped already
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def kill_soon(self) -> None:
        threading.Timer(0.1, self.kill).start()

    def stay(self) -> None:
        self.release.wait(20)

    def kill_and_stay(self) -> None:
        self.kill()
        self.stay()


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.release.set()


@pytest.fixture
def make(host: Host, driver: Driver, engine: Engine) -> Iterator[Callable[..., Driven]]:
    with contextlib.ExitStack() as stack:

        def opens(**options: Any) -> Driven:
            enclave = stack.enter_context(
                opened(driver, engine=engine, tools=host.tools(), **options)
            )
            host.enclave = enclave
            return enclave

        yield opens


def outcomes(records: tuple[AuditRecord, ...]) -> list[tuple[str, str]]:
    return [(record.operation, record.outcome) for record in records]


CAUGHT = """
def attempt(name, args):
    try:
        call_tool(name, args)
    except Exception:
        pass
attempt('notes:add', {'text': 'three'})
attempt('notes:add', {'text': 3})
attempt('notes:fail', {})
attempt('notes:odd', {})
attempt('nobody\\n', {'a': [1]})
attempt('users:list', {})
attempt('mail:send', {})
"""


def test_each_attempt_has_a_record_although_the_guest_catches_everything(
    make: Callable[..., Driven],
) -> None:
    before = time.time()
    result = make().run(CAUGHT)
    records = result.audit
    assert result.success
    assert outcomes(records) == [
        ("notes:add", "returned"),
        ("notes:add", "denied"),
        ("notes:fail", "raised"),
        ("notes:odd", "raised"),
        ("nobody\n", "denied"),
        ("users:list", "returned"),
        ("mail:send", "denied"),
    ]
    assert [record.number for record in records] == list(range(1, 8))
    assert {record.run for record in records} == {1}
    assert [dict(record.arguments) for record in records] == [
        {"text": "three"}, {"text": 3}, {}, {}, {"a": [1]}, {}, {},
    ]  # fmt: skip
    verdicts = [record.verdict for record in records]
    assert [v.address for v in verdicts if isinstance(v, Deny)] == [
        "arguments/type", "names/grammar", "sequence/EXFIL_LIST_SEND",
    ]  # fmt: skip
    assert [v for v in verdicts if v.allowed] == [Allow()] * 4
    times = [before, *(record.timestamp for record in records), time.time()]
    assert times == sorted(times)
    assert 0.02 <= records[0].duration < 5
    assert [record.duration for record in records if record.outcome == "denied"] == [0.0] * 3
    assert (result.stats.denied, result.stats.tool_calls) == (3, 4)


def test_pending_while_the_handler_runs(make: Callable[..., Driven], host: Host) -> None:
    enclave = make()
    enclave.run("notes.add()")
    enclave.run("notes.add()\nnotes.look()")
    assert outcomes(tuple(host.seen)) == [
        ("notes:add", "returned"),
        ("notes:add", "returned"),
        ("notes:look", "pending"),
    ]
    assert [bool(record.hash) for record in host.seen] == [True, False, False]
    fault = verify(host.seen)
    assert fault is not None
    assert fault.number == 2
    assert outcomes(enclave.history)[-1] == ("notes:look", "returned")
    assert verify(enclave.history) is None


def test_what_a_handler_does_to_its_arguments_is_not_on_record(make: Callable[..., Driven]) -> None:
    result = make().run("notes.add(items=[1])")
    assert result.audit[0].arguments == {"items": [1]}
    assert verify(result.audit) is None


def test_a_run_that_times_out_in_the_guest(make: Callable[..., Driven]) -> None:
    result = make(limits=Limits(timeout=0.6)).run("users.list()\nwhile True:\n    pass")
    assert result.error is not None
    assert result.error.code == "TIMEOUT"
    assert outcomes(result.audit) == [("users:list", "returned")]
    assert verify(result.audit) is None


def test_a_run_that_times_out_in_a_handler(make: Callable[..., Driven], host: Host) -> None:
    enclave = make(limits=Limits(timeout=0.6), double_vm=DoubleVM(parent_timeout_buffer=0.1))
    result = enclave.run("users.list()\nvm.stay()\nmail.send()")
    assert result.error is not None
    assert result.error.code == "TIMEOUT"
    assert outcomes(result.audit) == [("users:list", "returned"), ("vm:stay", "abandoned")]
    host.release.set()  # its handler ends now, and changes nothing
    assert enclave.run("1").success
    assert enclave.history == result.audit
    assert verify(enclave.history) is None


def test_a_pair_that_is_killed_while_a_handler_runs(
    make: Callable[..., Driven], host: Host
) -> None:
    enclave = make()
    with pytest.raises(VMCrashed):
        enclave.run("users.list()\nvm.kill()\nmail.send()")
    # The handler did return, though nobody was left to be told.
    assert outcomes(enclave.history) == [("users:list", "returned"), ("vm:kill", "returned")]
    assert verify(enclave.history) is None
    # A crash hides nothing from the pair that comes after it.
    result = enclave.run("mail.send()")
    assert result.error is not None
    assert result.error.code == "OPERATION_DENIED"
    assert [(record.run, record.number) for record in enclave.history] == [(1, 1), (1, 2), (2, 3)]
    assert verify(enclave.history) is None


def test_a_pair_that_is_killed_while_several_handlers_run(
    make: Callable[..., Driven], host: Host
) -> None:
    enclave = make()
    program = "import asyncio\nawait asyncio.gather(notes.add(), vm.stay(), vm.kill_and_stay())"
    with pytest.raises(VMCrashed):
        enclave.run(program)
    after = enclave.history
    assert outcomes(after)[1:] == [("vm:stay", "abandoned"), ("vm:kill_and_stay", "abandoned")]
    assert verify(after) is None
    host.release.set()  # they end now, and change nothing
    assert enclave.run("1").success
    assert enclave.history == after


def test_a_pair_that_is_killed_right_after_a_call(make: Callable[..., Driven]) -> None:
    enclave = make()
    with pytest.raises(VMCrashed):
        enclave.run("vm.kill_soon()\nwhile True:\n    pass")
    assert outcomes(enclave.history) == [("vm:kill_soon", "returned")]
    assert verify(enclave.history) is None


def test_results_and_the_history_over_many_runs(make: Callable[..., Driven], host: Host) -> None:
    enclave = make(limits=Limits(timeout=0.8), double_vm=DoubleVM(parent_timeout_buffer=0.1))
    parts = [
        enclave.run("notes.add(text='1')\nnotes.fail()").audit,
        enclave.run("this is no program").audit,
        enclave.run("call_tool('nobody', {})").audit,
        enclave.run("vm.stay()").audit,
    ]
    before = len(enclave.history)
    with pytest.raises(VMCrashed):
        enclave.run("notes.add(text='2')\nvm.kill()")
    parts.append(enclave.history[before:])
    with enclave.session() as session:
        parts += [session.run("notes.add(text='3')").audit, session.run("notes.add()").audit]
    assert [len(part) for part in parts] == [2, 0, 1, 1, 2, 1, 1]
    assert [{record.run for record in part} for part in parts] == [
        {1}, set(), {3}, {4}, {5}, {6}, {7},
    ]  # fmt: skip
    history = enclave.history
    assert history == tuple(record for part in parts for record in part)
    assert [record.number for record in history] == list(range(1, 9))
    assert verify(history, last_hash=history[-1].hash) is None
    assert all(verify(part) is None for part in parts)
