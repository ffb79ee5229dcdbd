"""Frames that no honest parent VM sends: the run ends with a ProtocolError that names them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from doublevm import ProtocolError
from doublevm.host import effects
from doublevm.host.trail import Trail
from doublevm.wire import frames as f
from doublevm.wire.codec import encode
from tests.unit.host.by_hand import STARTED, USAGE, ByHand, call, denied, done, failed, returned


def raw(args: bytes, operation: str = "add") -> f.Call:
    return f.Call(7, 1, operation, args, concurrent=False)


def output(text: str, run: int = 7) -> f.Output:
    return f.Output(run, "stdout", text)


NEVER = [
    (call(operation="sub", a=1), "call", "names/unregistered"),
    (call(operation="add ", a=1), "call", "names/grammar"),
    (call(operation="", a=1), "call", "names/grammar"),
    (call(operation="x" * 999, a=1), "call", "names/grammar"),
    (call(), "call", "arguments/binding"),
    (call(a=1, c=2), "call", "arguments/binding"),
    (call(a="1"), "call", "arguments/type"),
    (call(a=True), "call", "arguments/type"),
    (call(a=1.0), "call", "arguments/type"),
    (call(a=1, run=8), "call", "another run"),
    (raw(encode([1])), "call", "not a dict of names"),
    (raw(encode({1: 1})), "call", "not a dict of names"),
    (raw(encode(None)), "call", "not a dict of names"),
    (raw(b""), "call", "not an encoded value"),
    (raw(b"\x81\xa1a"), "call", "not an encoded value"),
    (raw(b"\x91" * 200 + b"\x90"), "call", "levels deep"),
    (f.Denied(7, 1, "add", encode([1]), "names", "grammar", ""), "denied", "not a dict"),
    (f.Denied(7, 1, "add", b"\xc1", "names", "grammar", ""), "denied", "not an encoded value"),
    (denied(run=8), "denied", "another run"),
    (output("x", run=8), "output", "another run"),
    (output("x" * 101), "output", "more output"),
    (done(run=8), "done", "another run"),
    (f.Done(7, b"", USAGE), "done", "not an encoded value"),
    (f.Done(7, b"\xc7\x00\x63", USAGE), "done", "extension"),
    (failed(run=8), "failed", "another run"),
    (failed("NO_SUCH_CODE"), "failed", "NO_SUCH_CODE"),
    (failed(""), "failed", "no error code"),
    (f.Broken(8, "crashed", ""), "broken", "another run"),
]


@pytest.mark.parametrize(
    ("frame", "name", "message"), NEVER, ids=[f"{n}-{row[1]}" for n, row in enumerate(NEVER)]
)
def test_never(frame: Any, name: str, message: str) -> None:
    hand = ByHand().start()
    with pytest.raises(ProtocolError, match=message) as caught:
        hand.tell(frame)
    assert (caught.value.vm, caught.value.frame) == ("parent", name)
    assert len(str(caught.value)) < 1000


def test_a_guest_of_another_run_starts() -> None:
    hand = ByHand()
    with pytest.raises(ProtocolError, match="another run"):
        hand.tell(f.Started(8, "monty"))


def answered(hand: ByHand, number: int) -> None:
    """Let a call through and answer it."""
    assert isinstance(hand.tell(call(number, a=1)), effects.Invoke)
    assert isinstance(hand.tell(returned(number)), effects.Send)
    assert hand.tell(None) == effects.Next()


def test_a_call_made_twice() -> None:
    hand = ByHand().start()
    answered(hand, 1)
    answered(hand, 3)  # numbers need not be in order
    with pytest.raises(ProtocolError, match="a second call 1"):
        hand.tell(call(1, a=1))


def test_a_call_and_a_denial_of_one_number() -> None:
    hand = ByHand().start()
    answered(hand, 1)
    with pytest.raises(ProtocolError, match="a second call 1") as caught:
        hand.tell(denied(1))
    assert caught.value.frame == "denied"
    assert [record.outcome for record in hand.history] == ["returned"]
    hand = ByHand().start()
    hand.tell(denied(1))
    with pytest.raises(ProtocolError, match="a second call 1"):
        hand.tell(call(1, a=1))
    assert [record.outcome for record in hand.history] == ["denied"]


def test_calls_beyond_the_budget() -> None:
    hand = ByHand().start()
    for number in (1, 2, 3):
        answered(hand, number)
    with pytest.raises(ProtocolError, match="more than 3"):
        hand.tell(call(4, a=1))


def test_denials_beyond_the_limit() -> None:
    hand = ByHand().start()
    for number in (1, 2):
        assert hand.tell(denied(number)) == effects.Next()
    with pytest.raises(ProtocolError, match="more than 2"):
        hand.tell(denied(3))
    assert len(hand.history) == 2


def test_output_beyond_the_limit_bit_by_bit() -> None:
    hand = ByHand().start()
    for _ in range(10):
        assert hand.tell(output("x" * 10)) == effects.Next()
    with pytest.raises(ProtocolError, match="more output"):
        hand.tell(f.Output(7, "stderr", "x"))


def test_no_handler_is_asked_for_before_all_is_checked() -> None:
    """A frame either gives an Invoke of a checked invocation, or raises: never both."""
    for frame, _, _ in NEVER:
        hand = ByHand().start()
        with pytest.raises(ProtocolError):
            hand.tell(frame)
        with pytest.raises(StopIteration):
            hand.tell(STARTED)


def test_a_catch_all_gets_every_name_that_is_one() -> None:
    """The twin, and what it does not get."""
    seen: list[Any] = []
    hand = ByHand(tools=[], tool_handler=lambda name, args: seen.append((name, args))).start()
    effect = hand.tell(call(operation="a:b/c.d-e_1", x=1))
    assert isinstance(effect, effects.Invoke)
    effect.invocation.call_handler()
    assert seen == [("a:b/c.d-e_1", {"x": 1})]
    hand = ByHand(tools=[], tool_handler=lambda name, args: seen.append((name, args))).start()
    with pytest.raises(ProtocolError, match="names/grammar"):
        hand.tell(call(operation="a b", x=1))


def test_arguments_that_cannot_be_kept_on_record() -> None:
    """They are read, and our own encoding of them would be too long: no run could be sealed."""
    date = msgspec.msgpack.Ext(8, b"20240131")
    args = msgspec.msgpack.encode({"value": [date] * 90_000})
    trail = Trail()
    hand = ByHand(tools=[], tool_handler=lambda _name, _args: None, history=trail).start()
    with pytest.raises(ProtocolError, match="more than the"):
        hand.tell(f.Call(7, 1, "any", args, concurrent=False))
    denied = f.Denied(7, 1, "any", args, "names", "grammar", "no")
    with pytest.raises(ProtocolError, match="more than the"):
        ByHand(history=trail).start().tell(denied)
    trail.seal(7)
    assert not trail.records
