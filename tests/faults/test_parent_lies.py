"""A parent VM that was taken over: whatever it sends, the host ends the pair and says why."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import (
    DoubleVM,
    EngineUnavailable,
    ErrorCode,
    Limits,
    ProtocolError,
    ScoringGate,
    VMCrashed,
    VMError,
)
from doublevm.score import Graded, Signal
from doublevm.wire import frames as f
from doublevm.wire.codec import encode
from doublevm.wire.framing import MAX_FRAME_BYTES
from doublevm.wire.grammar import HOST_SIDE
from doublevm.wire.guard_frames import MOST_FINDINGS, Found
from tests.behaviour.drivers import opened
from tests.faults.fakes import bytes_of, fake_parent, flood, write

if TYPE_CHECKING:
    from tests.behaviour.drivers import Driver

both_drivers = pytest.mark.parametrize("driver", ["sync", "async"])

READY, STARTED = f.Ready(f.VERSION, {}, ("monty", "cpython")), f.Started(1, "monty")
USAGE = f.Usage(0.0, 0)
NO_ARGS, ARGS = encode({}), encode({"number": 1})
FOUND = Found("imports", 1, 1, "", "message", "", refuses=False)
SCORED = f.Scored(1, Graded(()))
READ, CHECKED = f.Read(1, (FOUND,)), f.Checked(1, (FOUND,), "monty", ())
CALL = f.Call(1, 1, "tool", ARGS, concurrent=False)
DENIED = f.Denied(1, 1, "tool", ARGS, "names", "grammar", "no")

UP_TO = {
    "configuring": ["read"],
    "reading": ["read", write(READY), "read"],
    "starting": ["read", write(READY), "read", write(READ)],
    "running": ["read", write(READY), "read", write(STARTED)],
}
"""What a parent VM does until the host is in this state."""

EACH_KIND = [
    READY,
    f.Unconfined("why"),
    READ,
    CHECKED,
    SCORED,
    STARTED,
    CALL,
    DENIED,
    f.Output(1, "stdout", "text"),
    f.Done(1, encode(None), USAGE),
    f.Failed(1, "EXECUTION_ERROR", "message", USAGE),
    f.Broken(1, "crashed", "message"),
]
OUT_OF_PLACE = [
    (state, frame)
    for state, frame in itertools.product(UP_TO, EACH_KIND)
    if type(frame) not in HOST_SIDE[state]
]

CALLS: list[int] = []


def tool(number: int) -> int:
    """Must not be called by anything that a lying parent VM sends here."""
    CALLS.append(number)
    return number


def run(driver: Driver, **limits: Any) -> Any:
    CALLS.clear()
    with opened(driver, tools=[tool], limits=Limits(timeout=60, **limits)) as enclave:
        return enclave.run("pass")


def lie(monkeypatch: pytest.MonkeyPatch, driver: Driver, *steps: str, **limits: Any) -> VMError:
    """Return what a run with this parent VM raises."""
    fake_parent(monkeypatch, *steps)
    with pytest.raises(VMError) as caught:
        run(driver, **limits)
    return caught.value


def test_the_table_holds_every_kind_and_state() -> None:
    kinds = {type(frame) for frame in EACH_KIND}
    assert kinds == set(f.ParentFrame.__args__)
    assert len(OUT_OF_PLACE) == 10 + 7 + 8 + 6


@both_drivers
@pytest.mark.parametrize(
    ("state", "frame"), OUT_OF_PLACE, ids=[f"{f.frame_name(x)}-in-{s}" for s, x in OUT_OF_PLACE]
)
def test_a_frame_that_may_not_come_now(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, state: str, frame: Any
) -> None:
    error = lie(monkeypatch, driver, *UP_TO[state], write(frame))
    assert isinstance(error, ProtocolError)
    assert (error.vm, error.frame) == ("parent", f.frame_name(frame))
    assert state in str(error)
    assert not CALLS


@both_drivers
@pytest.mark.parametrize("frame", [frame for frame in EACH_KIND if frame is not CHECKED])
def test_no_answer_to_a_check(monkeypatch: pytest.MonkeyPatch, driver: Driver, frame: Any) -> None:
    fake_parent(monkeypatch, *UP_TO["reading"], write(frame))
    with opened(driver) as enclave, pytest.raises(ProtocolError) as caught:
        enclave.check("1")
    assert (caught.value.vm, caught.value.frame) == ("parent", f.frame_name(frame))


@both_drivers
def test_an_answer_to_another_check(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    other = f.Checked(2, (FOUND,), "monty", ())
    fake_parent(monkeypatch, *UP_TO["reading"], write(other))
    with opened(driver) as enclave, pytest.raises(ProtocolError, match="no answer to a check"):
        enclave.check("1")


@both_drivers
def test_a_check_that_is_not_answered(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    fake_parent(monkeypatch, *UP_TO["reading"], "hang")
    limits, double_vm = Limits(timeout=0.1), DoubleVM(parent_timeout_buffer=0.1)
    with (
        opened(driver, limits=limits, double_vm=double_vm) as enclave,
        pytest.raises(VMError, match=r"the program was not read within 0\.1 s"),
    ):
        enclave.check("1")


@both_drivers
def test_findings_of_another_run(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    error = lie(monkeypatch, driver, *UP_TO["reading"], write(f.Read(2, (FOUND,))))
    assert isinstance(error, ProtocolError)
    assert error.frame == "read"


@both_drivers
def test_more_findings_than_are_told(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    many = f.Read(1, (FOUND,) * (MOST_FINDINGS + 1))
    error = lie(monkeypatch, driver, *UP_TO["reading"], write(many))
    assert isinstance(error, ProtocolError)
    assert error.frame == "bytes"


@both_drivers
def test_a_frame_after_the_end_of_a_run(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    done = f.Done(1, encode(1), USAGE)
    fake_parent(monkeypatch, *UP_TO["running"], write(done, CALL))
    with opened(driver, tools=[tool]) as enclave:
        assert enclave.run("1").unwrap() == 1
        with pytest.raises(ProtocolError) as caught:
            enclave.run("2")
        assert (caught.value.vm, caught.value.frame) == ("parent", "call")


@both_drivers
@pytest.mark.parametrize("state", UP_TO)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x00\x00\x00\x04\xff\xff\xff\xff", id="no MessagePack"),
        pytest.param(b"\x00\x00\x00\x01\xc0", id="not an array"),
        pytest.param(bytes_of(f.Returned(1, 1, NO_ARGS)), id="a frame of the host's"),
        pytest.param(b"\x00\x00\x00\x00", id="an empty frame"),
        pytest.param(b"\xff\xff\xff\xff", id="four gigabytes announced"),
        pytest.param((MAX_FRAME_BYTES + 1).to_bytes(4, "big"), id="a byte too many announced"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="text"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_frame(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, state: str, data: bytes
) -> None:
    error = lie(monkeypatch, driver, *UP_TO[state], write(data))
    assert isinstance(error, ProtocolError)
    assert (error.vm, error.frame) == ("parent", "bytes")


@both_drivers
@pytest.mark.parametrize("state", UP_TO)
@pytest.mark.parametrize("data", [b"", b"\x00\x00", bytes_of(DENIED)[:-1]])
def test_it_ends_in_the_middle(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, state: str, data: bytes
) -> None:
    error = lie(monkeypatch, driver, *UP_TO[state], write(data), "exit")
    assert isinstance(error, VMCrashed)
    assert error.vm == "parent"
    assert ("in the middle of a frame" in str(error)) == bool(data)


@both_drivers
@pytest.mark.parametrize("data", [b"", b"\x00\x00", bytes_of(DENIED)[:-1]])
def test_it_hangs_before_the_guest_starts(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, data: bytes
) -> None:
    for module in ("driver", "aio"):
        monkeypatch.setattr(f"doublevm.host.{module}.START_SECONDS", 0.3)
    for state in ("configuring", "starting"):
        error = lie(monkeypatch, driver, *UP_TO[state], write(data), "hang")
        assert isinstance(error, EngineUnavailable)
        assert "0.3 s" in str(error)


@both_drivers
@pytest.mark.parametrize("data", [b"", b"\x00\x00", bytes_of(DENIED)[:-1]])
def test_it_hangs_during_a_run(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, data: bytes
) -> None:
    fake_parent(monkeypatch, *UP_TO["running"], write(data), "hang")
    began = time.monotonic()
    buffer = DoubleVM(parent_timeout_buffer=0.1)
    with opened(driver, limits=Limits(timeout=0.1), double_vm=buffer) as enclave:
        error = enclave.run("pass").error
    assert error is not None
    assert error.code is ErrorCode.TIMEOUT
    assert time.monotonic() - began < 30


@both_drivers
def test_it_never_reads(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    monkeypatch.setattr("doublevm.host.driver.START_SECONDS", 0.3)
    monkeypatch.setattr("doublevm.host.aio.START_SECONDS", 0.3)
    fake_parent(monkeypatch, "hang")
    with opened(driver, inputs={"large": "x" * 500_000}) as enclave, pytest.raises(VMError):
        enclave.run("pass")


@both_drivers
def test_another_version(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    error = lie(monkeypatch, driver, "read", write(f.Ready(f.VERSION + 1, {}, ("monty",))))
    assert type(error) is VMError
    assert "version" in str(error)


@both_drivers
def test_output_without_end(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    output = flood(f.Output(1, "stdout", "x" * 1000))
    error = lie(monkeypatch, driver, *UP_TO["running"], output, max_output_bytes=100_000)
    assert isinstance(error, ProtocolError)
    assert (error.vm, error.frame) == ("parent", "output")


@both_drivers
def test_a_flood_during_a_call_does_not_fill_the_host(
    monkeypatch: pytest.MonkeyPatch, driver: Driver
) -> None:
    grown: list[int] = []

    async def slow() -> None:
        before = resident()
        await asyncio.sleep(0.7)
        grown.append(resident() - before)

    call = f.Call(1, 1, "slow", NO_ARGS, concurrent=False)
    fake_parent(monkeypatch, *UP_TO["running"], write(call), flood(f.Output(1, "stdout", "x" * 99)))
    with opened(driver, tools=[slow]) as enclave, pytest.raises(ProtocolError) as caught:
        enclave.run("pass")
    assert caught.value.frame == "output"
    assert grown[0] < 150 * 2**20


@both_drivers
def test_a_flood_from_one_who_does_not_read(
    monkeypatch: pytest.MonkeyPatch, driver: Driver
) -> None:
    """The host cannot get rid of its answer, and must not take in what comes meanwhile."""
    before, most = resident(), 0

    def large() -> str:
        threading.Thread(target=watch, daemon=True).start()
        return "x" * 900_000

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.01):
            most = max(most, resident())

    ended = threading.Event()
    call = f.Call(1, 1, "large", NO_ARGS, concurrent=False)
    fake_parent(monkeypatch, *UP_TO["running"], write(call), flood(f.Output(1, "stdout", "x" * 99)))
    limits, buffer = Limits(timeout=0.7), DoubleVM(parent_timeout_buffer=0.1)
    with opened(driver, tools=[large], limits=limits, double_vm=buffer) as enclave:
        error = enclave.run("pass").error
    ended.set()
    assert error is not None
    assert error.code is ErrorCode.TIMEOUT
    assert 0 < most < before + 150 * 2**20


def resident() -> int:
    """Return the bytes of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


MUCH = f.Scored(1, Graded((Signal("A", 90, 1, 1, "much"),)))


@both_drivers
@pytest.mark.parametrize(
    ("gate", "steps"),
    [
        (None, [write(SCORED), "read"]),
        (ScoringGate(), [write(STARTED), "read"]),
        (ScoringGate(), [write(MUCH), "read", write(STARTED), "read"]),
        (ScoringGate(), [write(MUCH), "read", write(f.Done(1, encode(5), USAGE)), "read"]),
        (ScoringGate(), [write(SCORED, SCORED), "read"]),
        (ScoringGate(), [write(SCORED), "read", write(SCORED), "read"]),
    ],
    ids=["no gate", "not asked", "blocked", "blocked and done", "twice", "twice, answered"],
)
def test_a_parent_that_does_not_keep_to_the_gate(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, gate: ScoringGate | None, steps: list[str]
) -> None:
    fake_parent(monkeypatch, "read", write(READY), "read", *steps)
    with (
        opened(driver, tools=[tool], scoring_gate=gate) as enclave,
        pytest.raises(ProtocolError),
    ):
        enclave.run("pass")
