"""A parent VM that was taken over asks for operations: the host checks each one itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from doublevm import Limits, ProtocolError
from doublevm.wire import frames as f
from doublevm.wire.codec import encode
from tests.behaviour.drivers import opened
from tests.faults.fakes import fake_parent, write

if TYPE_CHECKING:
    from tests.behaviour.drivers import Driver

both_drivers = pytest.mark.parametrize("driver", ["sync", "async"])

ARGS = encode({"number": 1})
USAGE = f.Usage(0.0, 0)
BEGIN = [
    "read",
    write(f.Ready(f.VERSION, {}, ("monty", "cpython"))),
    "read",
    write(f.Started(1, "monty")),
]


def call(
    number: int = 1, operation: str = "tool", args: bytes = ARGS, *, run: int = 1,
    concurrent: bool = False,
) -> f.Call:  # fmt: skip
    return f.Call(run, number, operation, args, concurrent)


def denied(number: int = 1, args: bytes = ARGS, *, run: int = 1) -> f.Denied:
    return f.Denied(run, number, "tool", args, "names", "grammar", "no")


class Host:
    """An enclave's host that counts how often its tool is called."""

    def __init__(self) -> None:
        self.called: list[int] = []

    def tool(self, number: int) -> int:
        self.called.append(number)
        return number

    def run(self, driver: Driver) -> Any:
        limits = Limits(timeout=60, max_tool_calls=3, max_denied=2)
        with opened(driver, tools=[self.tool], limits=limits) as enclave:
            return enclave.run("pass")


@both_drivers
@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (call(operation="other"), "names/unregistered"),
        (call(operation="tool\n"), "names/grammar"),
        (call(operation=""), "names/grammar"),
        (call(args=encode({})), "arguments/binding"),
        (call(args=encode({"number": 1, "more": 2})), "arguments/binding"),
        (call(args=encode({"number": "1"})), "arguments/type"),
        (call(args=encode({"number": True})), "arguments/type"),
        (call(args=encode({1: 1})), "not a dict of names"),
        (call(args=encode([1])), "not a dict of names"),
        (call(args=encode(None)), "not a dict of names"),
        (call(args=b""), "not an encoded value"),
        (call(args=b"\xc1"), "not an encoded value"),
        (call(args=b"\x81" * 100), "not an encoded value"),
        (call(run=2), "another run"),
        (call(run=0), "another run"),
    ],
)
def test_a_call_that_no_honest_parent_lets_through(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, frame: f.Call, message: str
) -> None:
    fake_parent(monkeypatch, *BEGIN, write(frame))
    host = Host()
    with pytest.raises(ProtocolError, match=message) as caught:
        host.run(driver)
    assert (caught.value.vm, caught.value.frame) == ("parent", "call")
    assert not host.called


@both_drivers
@pytest.mark.parametrize(
    ("frames", "wrong", "calls"),
    [
        pytest.param([call(), call()], "call", 1, id="a call made twice"),
        pytest.param([call(1), call(2), call(3), call(4)], "call", 3, id="a call too many"),
        pytest.param([call(), denied()], "denied", 1, id="a call denied after it was made"),
        pytest.param([denied(), call()], "call", 0, id="a denied call made"),
        pytest.param([denied(1), denied(2), denied(3)], "denied", 0, id="a denial too many"),
        pytest.param([denied(run=2)], "denied", 0, id="a denial of another run"),
        pytest.param([denied(args=encode(1))], "denied", 0, id="a denial without arguments"),
        pytest.param([denied(args=b"\xc1")], "denied", 0, id="a denial of garbage"),
        pytest.param([f.Output(2, "stdout", "x")], "output", 0, id="output of another run"),
        pytest.param([f.Done(2, encode(1), USAGE)], "done", 0, id="the end of another run"),
        pytest.param([f.Done(1, b"\xc1", USAGE)], "done", 0, id="no value"),
        pytest.param([f.Failed(2, "TIMEOUT", "", USAGE)], "failed", 0, id="a stranger's failure"),
        pytest.param([f.Failed(1, "NO_SUCH", "", USAGE)], "failed", 0, id="no error code"),
        pytest.param([f.Broken(2, "crashed", "")], "broken", 0, id="a stranger's crash"),
    ],
)
def test_frames_that_do_not_belong(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, frames: list[Any], wrong: str, calls: int
) -> None:
    steps = []
    for frame in frames:
        steps.append(write(frame))
        if isinstance(frame, f.Call):
            steps.append("read")
    fake_parent(monkeypatch, *BEGIN, *steps)
    host = Host()
    with pytest.raises(ProtocolError) as caught:
        host.run(driver)
    assert (caught.value.vm, caught.value.frame) == ("parent", wrong)
    assert len(host.called) == calls


@both_drivers
def test_an_honest_conversation_goes_through(
    monkeypatch: pytest.MonkeyPatch, driver: Driver
) -> None:
    """The twin: the same frames in their places are taken."""
    done = f.Done(1, encode("end"), USAGE)
    together = write(call(2, concurrent=True), call(3, concurrent=True))
    steps = [write(denied(1)), together, "read", "read", write(f.Output(1, "stdout", "x"), done)]
    fake_parent(monkeypatch, *BEGIN, *steps)
    host = Host()
    result = host.run(driver)
    assert result.unwrap() == "end"
    assert (result.stdout, host.called) == ("x", [1, 1])
    assert [record.outcome for record in result.audit] == ["denied", "returned", "returned"]
