"""What the host is told of an inner VM that was taken over: real parent VM, fake cpython inner."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ErrorCode, Limits, ProtocolError, VMCrashed
from doublevm.launch import package_folders
from doublevm.wire import inner_frames as i
from doublevm.wire.codec import encode
from doublevm.wire.frames import Usage
from tests.behaviour.drivers import opened
from tests.faults.fakes import fake_command, flood, fork_by, write

if TYPE_CHECKING:
    from tests.behaviour.drivers import Driver

both_drivers = pytest.mark.parametrize("driver", ["sync", "async"])

REPOSITORY = Path(__file__).parents[2]
USAGE = Usage(0.0, 0)
PREPARED = write(i.Prepared())
BOOT = """
import json, os, sys
sys.path += sys.argv.pop(1).split("\\n")
before, steps = json.loads(sys.argv.pop(1))
from doublevm.confinement import Confinement
from doublevm.parent import process
from tests.support.started import start_template
process.fork_template = lambda *_: start_template(
    lambda *fds: [*before, *(str(each) for each in fds), *steps]
)
read_fd, write_fd = (int(each) for each in sys.argv[1:])
os.set_inheritable(read_fd, False)
os.set_inheritable(write_fd, False)
left_out = {"namespaces": "no zygote has forked this process"}
process.be_parent_vm(read_fd, write_fd, Confinement(left_out), ((), ()))
"""


def attempt(operation: str, line: int = 0, **kwargs: Any) -> i.Attempt:
    return i.Attempt(1, operation, encode([]), encode(kwargs), concurrent=False, line=line)


def host(monkeypatch: pytest.MonkeyPatch, driver: Driver, *steps: str, **options: Any) -> Any:
    """Run a program with real parent VM and a fake inner VM."""

    def command(read_fd: int, write_fd: int) -> list[str]:
        told = json.dumps([fake_command("template"), steps])
        folders = "\n".join((*package_folders(), str(REPOSITORY)))
        return [sys.executable, "-I", "-S", "-c", BOOT, folders, told, str(read_fd), str(write_fd)]

    fork_by(monkeypatch, command)
    with opened(driver, engine="cpython", **options) as enclave:
        return enclave.run("pass")


@both_drivers
@pytest.mark.parametrize(
    ("steps", "frame"),
    [
        ([write(i.Print("stdout", "x"))], "print"),
        ([write(b"\xff\xff\xff\xff")], "bytes"),
        ([PREPARED, "read", write(i.Prepared())], "prepared"),
        ([PREPARED, "read", write(b"garbage, garbage")], "bytes"),
        ([PREPARED, "read", write(i.Finished(b"\xc1", USAGE))], "finished"),
        ([PREPARED, "read", write(i.Wait(None)), "pause", write(i.Wait(None))], "wait"),
    ],
)
def test_what_may_not_come(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, steps: list[str], frame: str
) -> None:
    with pytest.raises(ProtocolError) as caught:
        host(monkeypatch, driver, *steps)
    assert (caught.value.vm, caught.value.frame) == ("inner", frame)


@both_drivers
@pytest.mark.parametrize("data", [b"", b"\x00\x00"])
def test_it_ends_early(monkeypatch: pytest.MonkeyPatch, driver: Driver, data: bytes) -> None:
    with pytest.raises(VMCrashed) as caught:
        host(monkeypatch, driver, PREPARED, "read", write(data), "exit")
    assert caught.value.vm == "inner"


@both_drivers
def test_it_ends_before_it_is_prepared(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    with pytest.raises(VMCrashed, match="ended with status 0"):
        host(monkeypatch, driver, "exit")


@both_drivers
@pytest.mark.parametrize("data", [b"", b"\x00\x00"])
def test_it_hangs(monkeypatch: pytest.MonkeyPatch, driver: Driver, data: bytes) -> None:
    began = time.monotonic()
    limits = Limits(timeout=0.3)
    result = host(monkeypatch, driver, PREPARED, "read", write(data), "hang", limits=limits)
    assert result.error.code is ErrorCode.TIMEOUT
    assert time.monotonic() - began < 30


@both_drivers
def test_a_flood_of_output(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    prints = flood(i.Print("stdout", "x" * 99 + "\n"))
    result = host(monkeypatch, driver, PREPARED, "read", prints, limits=Limits(timeout=60))
    assert result.error.code is ErrorCode.OUTPUT_LIMIT_EXCEEDED
    assert len(result.stdout) <= 2**20


@both_drivers
def test_a_flood_of_attempts(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    """Each is judged, and after so many denials the run is ended."""
    steps = [PREPARED, "read"]
    for number in range(1, 6):
        steps += [write(attempt("no such tool\n" * number)), "read"]
    result = host(monkeypatch, driver, *steps, limits=Limits(timeout=60, max_denied=3))
    assert result.error.code is ErrorCode.OPERATION_DENIED
    assert [record.verdict.address for record in result.audit] == ["names/grammar"] * 3


@both_drivers
def test_operations_are_judged_whoever_asks(
    monkeypatch: pytest.MonkeyPatch, driver: Driver
) -> None:
    called = []

    def tool(number: int) -> int:
        called.append(number)
        return number

    steps = [PREPARED, "read"]
    attempts = [
        attempt("tool", number=1), attempt("tool", number="1"), attempt("tool"), attempt("other"),
        attempt("tool", number=2),
    ]  # fmt: skip
    for each in attempts:
        steps += [write(each), "read"]
    steps += [write(i.Finished(encode("end"), USAGE))]
    result = host(monkeypatch, driver, *steps, tools=[tool])
    assert result.unwrap() == "end"
    assert called == [1, 2]
    addresses = [getattr(record.verdict, "address", "") for record in result.audit]
    assert addresses == ["", "arguments/type", "arguments/binding", "names/unregistered", ""]


@both_drivers
def test_a_line_is_what_the_inner_vm_says_and_decides_nothing(
    monkeypatch: pytest.MonkeyPatch, driver: Driver
) -> None:
    """The program has one line; a guest that has broken out of its interpreter may say another."""
    steps = [PREPARED, "read"]
    for line in (0, 1, 2**31):
        steps += [write(attempt("tool", line)), "read", write(attempt("other", line)), "read"]
    steps += [write(i.Finished(encode("end"), USAGE))]

    def tool() -> None:
        return None

    result = host(monkeypatch, driver, *steps, tools=[tool])
    assert result.unwrap() == "end"
    found = [(record.verdict.allowed, record.line) for record in result.audit]
    assert found == [(allowed, line or None) for line in (0, 1, 2**31) for allowed in (True, False)]


@both_drivers
def test_a_line_that_is_none_ends_the_run(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    with pytest.raises(ProtocolError) as caught:
        host(monkeypatch, driver, PREPARED, "read", write(attempt("tool", -1)))
    assert (caught.value.vm, caught.value.frame) == ("inner", "bytes")
