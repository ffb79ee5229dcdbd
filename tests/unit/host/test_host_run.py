"""One run as the host sees it, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from doublevm import Allow, Deny, EngineUnavailable, ErrorCode, ProtocolError, VMCrashed
from doublevm.host import effects
from doublevm.wire import frames as f
from doublevm.wire.codec import encode
from tests.unit.host.by_hand import (
    STARTED,
    ByHand,
    call,
    denied,
    done,
    failed,
    raised,
    returned,
)


def test_a_run_without_operations() -> None:
    hand = ByHand().start()
    hand.seconds = 102.5
    result = hand.end(done([1, "x"]))
    assert result.success
    assert result.unwrap() == [1, "x"]
    stats = result.stats
    assert (stats.duration, stats.engine, stats.tool_calls, stats.denied) == (2.5, "cpython", 0, 0)
    assert (stats.cpu_time, stats.peak_memory) == (0.25, 4096)
    assert (result.audit, result.stdout, result.stderr) == ((), "", "")


def test_a_call() -> None:
    hand = ByHand().start()
    effect = hand.tell(call(a=1, b=2))
    assert isinstance(effect, effects.Invoke)
    assert (effect.call, effect.concurrent) == (1, False)
    assert effect.invocation.call_handler() == 3
    finished = effect.invocation.returned(3, began=0.0)
    assert finished.answer == f.Returned(7, 1, encode(3))
    assert hand.tell(finished) == effects.Send(finished.answer)
    assert hand.tell(None) == effects.Next()
    (record,) = hand.end(done()).audit
    assert (record.number, record.run, record.operation) == (1, 7, "add")
    assert (record.arguments, record.verdict) == ({"a": 1, "b": 2}, Allow())
    assert (record.timestamp, record.outcome) == (1_700_000_000.0, "returned")


def test_a_handler_cannot_change_the_record() -> None:
    hand = ByHand(tools=[], tool_handler=lambda _name, args: args.clear()).start()
    effect = hand.tell(call(operation="any", a=[1]))
    assert isinstance(effect, effects.Invoke)
    effect.invocation.call_handler()
    hand.tell(returned())
    hand.tell(None)
    assert hand.end(done()).audit[0].arguments == {"a": [1]}


def test_concurrent_calls_are_answered_in_any_order() -> None:
    hand = ByHand().start()
    for number in (1, 2):
        effect = hand.tell(call(number, a=number, concurrent=True))
        assert isinstance(effect, effects.Invoke)
        assert effect.concurrent
        assert hand.tell(None) == effects.Next()
    for finished in (returned(2), raised(1)):
        assert hand.tell(finished) == effects.Send(finished.answer)
        assert hand.tell(None) == effects.Next()
    audit = hand.end(done()).audit
    assert [record.outcome for record in audit] == ["raised", "returned"]
    assert [record.duration for record in audit] == [0.5, 0.5]


def test_a_call_that_nobody_waited_for_is_abandoned() -> None:
    hand = ByHand().start()
    hand.tell(call(a=1, concurrent=True))
    hand.tell(None)
    (record,) = hand.end(done()).audit
    assert (record.outcome, record.duration) == ("abandoned", 0.0)


def test_a_late_handler_of_an_earlier_run_is_ignored() -> None:
    hand = ByHand().start()
    assert hand.tell(returned(1, run=6)) == effects.Next()
    assert hand.end(done()).success


def test_a_denied_operation() -> None:
    hand = ByHand().start()
    assert hand.tell(denied(a="x")) == effects.Next()
    error = hand.end(failed("OPERATION_DENIED", type_name="PermissionError", line=3, call=1)).error
    assert error is not None
    assert error.verdict == Deny("names", "grammar", "no name")
    assert (error.code, error.operation) == (ErrorCode.OPERATION_DENIED, "add")
    assert (error.type, error.line, error.message) == ("PermissionError", 3, "ValueError: x")
    (record,) = hand.history
    assert (record.outcome, record.arguments) == ("denied", {"a": "x"})
    assert not record.verdict.allowed


def test_output_in_order_and_live() -> None:
    heard: list[tuple[str, str]] = []
    hand = ByHand(on_output=lambda stream, text: heard.append((stream, text))).start()
    sent = [("stdout", "a\n"), ("stderr", "b"), ("stdout", "c")]
    for stream, text in sent:
        assert hand.tell(f.Output(7, stream, text)) == effects.Next()  # type: ignore[arg-type]
    assert heard == sent
    result = hand.end(done())
    assert (result.stdout, result.stderr) == ("a\nc", "b")


def test_refused_before_it_started() -> None:
    result = ByHand().end(failed("UNSUPPORTED", line=0))
    assert result.error is not None
    assert result.error.code is ErrorCode.UNSUPPORTED
    assert (result.error.line, result.stats.engine) == (None, "")


@pytest.mark.parametrize(
    ("frame", "kind", "attributes"),
    [
        (f.Broken(7, "crashed", "it died"), VMCrashed, {"vm": "inner"}),
        (f.Broken(7, "unavailable", "it is missing"), EngineUnavailable, {}),
        (f.Broken(7, "protocol", "x", "wait"), ProtocolError, {"vm": "inner", "frame": "wait"}),
        (f.Broken(7, "protocol", "x"), ProtocolError, {"vm": "inner", "frame": "bytes"}),
    ],
)
@pytest.mark.parametrize("started", [True, False])
def test_a_broken_inner_vm(
    frame: f.Broken, kind: type[Exception], attributes: dict[str, Any], *, started: bool
) -> None:
    hand = ByHand()
    if started:
        hand.start()
    with pytest.raises(kind) as caught:
        hand.tell(frame)
    assert str(caught.value) == frame.message
    assert {name: getattr(caught.value, name) for name in attributes} == attributes


def test_giving_up_at_any_moment() -> None:
    hand = ByHand()
    assert hand.run.timed_out().stats.engine == ""
    hand = ByHand().start()
    hand.tell(f.Output(7, "stdout", "so far"))
    hand.tell(call(a=1))
    hand.seconds = 111.5
    result = hand.run.timed_out()
    assert result.error is not None
    assert (result.error.code, result.stdout) == (ErrorCode.TIMEOUT, "so far")
    assert "10 s" in result.error.message
    assert (result.stats.duration, result.stats.tool_calls) == (11.5, 1)
    assert result.audit[0].outcome == "abandoned"


def test_a_handler_that_ends_after_the_host_gave_up_changes_nothing() -> None:
    hand = ByHand().start()
    hand.tell(call(a=1))
    hand.run.timed_out()
    assert hand.tell(returned()) == effects.Next()
    assert hand.history[0].outcome == "abandoned"


def test_whether_it_has_started() -> None:
    hand = ByHand()
    assert not hand.run.has_started
    hand.tell(STARTED)
    assert hand.run.has_started
