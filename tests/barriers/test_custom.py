"""Patterns of the host's own: what they may be, what they are given, and how they may misbehave."""

from __future__ import annotations

import functools
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from doublevm.history import OperationHistoryEntry
from doublevm.monitor import Monitor
from doublevm.policy import Detect, ParentValidation, SuspiciousPattern
from doublevm.verdict import Deny
from tests.barriers.cases import Denial, Harmless, Setting, Step, Table, answers, judge

if TYPE_CHECKING:
    from collections.abc import Callable

Entries = list[OperationHistoryEntry]
MINE = "sequence/MINE"


def on(detect: Any, *more: SuspiciousPattern) -> Setting:
    pattern = SuspiciousPattern(id="MINE", description="mine says no", detect=detect)
    return Setting(options={"suspicious_patterns": (pattern, *more)})


def denied(id_: str, detect: Any, steps: list[Step], twin: list[Step]) -> Denial:
    return Denial(id=id_, on=on(detect), steps=steps, off={"suspicious_patterns": ()}, twin=twin)


def bad(name: str, **args: Any) -> Step:
    return Step(name, args, expect=MINE)


def is_bad(name: str, args: Any, history: Entries) -> bool:
    return name == "bad"


def is_one_of(names: tuple[str, ...], name: str, args: Any, history: Entries) -> bool:
    return name in names


def closure(limit: int) -> Detect:
    def detect(name: str, args: Any, history: Entries) -> bool:
        return bool(args.get("amount", 0) > limit)

    return detect


class Watch:
    def __init__(self, name: str) -> None:
        self.name = name

    def method(self, name: str, args: Any, history: Entries) -> bool:
        return name == self.name

    @classmethod
    def of_class(cls, name: str, args: Any, history: Entries) -> bool:
        return name == "bad"

    @staticmethod
    def static(name: str, args: Any, history: Entries) -> bool:
        return name == "bad"

    __call__ = method


def specified(name: str, args: Any, history: Entries) -> bool:
    """The first example of the specification."""
    if "dangerous" in name:
        return True
    recent = history[-5:]
    if any(entry.name == "sensitive:show" for entry in recent):
        return "mail" in name
    return False


def third_in_a_row(name: str, args: Any, history: Entries) -> bool:
    return [entry.name for entry in history[-2:]] == [name, name]


def after_a_denied_one(name: str, args: Any, history: Entries) -> bool:
    return any(not entry.allowed for entry in history)


def adds_up(name: str, args: Any, history: Entries) -> bool:
    amounts = [entry.args.get("amount", 0) for entry in history if entry.allowed]
    return bool(sum(amounts) + args.get("amount", 0) > 100)


def pay(amount: int) -> Step:
    return Step("pay", {"amount": amount})


GOOD = [Step("good")]
FAR = [Step("sensitive:show"), *(Step(f"note:{i}") for i in range(5))]


class TestDetect(Table):
    denials = (
        denied("function", is_bad, [bad("bad")], GOOD),
        denied("lambda", lambda name, args, history: name == "bad", [bad("bad")], GOOD),
        denied("closure", closure(10), [bad("pay", amount=11)], [pay(10)]),
        denied("method", Watch("bad").method, [bad("bad")], GOOD),
        denied("class-method", Watch.of_class, [bad("bad")], GOOD),
        denied("static-method", Watch.static, [bad("bad")], GOOD),
        denied("callable-object", Watch("bad"), [bad("bad")], GOOD),
        denied("partial", functools.partial(is_one_of, ("bad", "evil")), [bad("evil")], GOOD),
        denied("specified-name", specified, [bad("dangerous:thing")], [Step("danger:thing")]),
        denied("specified-history", specified, [*FAR[:5], bad("mail")], [*FAR, Step("mail")]),
        denied(
            "history-by-name",
            third_in_a_row,
            [Step("a"), Step("a"), bad("a")],
            [Step("a"), Step("a"), Step("b"), Step("a")],
        ),
        denied(
            "history-has-denied-ones",
            after_a_denied_one,
            [Step("bulk", expect="sequence/BULK_OPERATION"), bad("a")],
            [Step("hulk"), Step("a")],
        ),
        denied("earlier-arguments", adds_up, [pay(60), bad("pay", amount=41)], [pay(60), pay(40)]),
    )
    harmless = (Harmless("none", [Step("bad")]),)


def raising(error: BaseException) -> Detect:
    def detect(name: str, args: Any, history: Entries) -> bool:
        if name == "bad":
            raise error
        return False

    return detect


def returning(value: Any) -> Any:
    return lambda name, args, history: value if name == "bad" else False


def endless(name: str, args: Any, history: Entries) -> bool:
    return endless(name, args, history) if name == "bad" else False


MISBEHAVIOUR: list[tuple[str, Any, str]] = [
    ("raises", raising(ValueError("secret")), "its pattern failed (ValueError)"),
    ("system-exit", raising(SystemExit(0)), "its pattern failed (SystemExit)"),
    ("interrupt", raising(KeyboardInterrupt()), "its pattern failed (KeyboardInterrupt)"),
    ("generator-exit", raising(GeneratorExit()), "its pattern failed (GeneratorExit)"),
    ("stop-iteration", raising(StopIteration()), "its pattern failed (StopIteration)"),
    (
        "exits",
        lambda n, a, h: sys.exit() if n == "bad" else False,
        "its pattern failed (SystemExit)",
    ),
    ("recursion", endless, "its pattern failed (RecursionError)"),
    (
        "no-such-argument",
        lambda n, a, h: a["x"] if n == "bad" else False,
        "its pattern failed (KeyError)",
    ),
    (
        "wrong-signature",
        lambda n, a=0, *h: n + a if n == "bad" else False,
        "its pattern failed (TypeError)",
    ),
    ("none", returning(None), "its pattern returned NoneType, not True or False"),
    ("one", returning(1), "its pattern returned int, not True or False"),
    (
        "match",
        lambda n, a, h: re.match("bad", n) or False,
        "its pattern returned Match, not True or False",
    ),
    ("zero", returning(0), "its pattern returned int, not True or False"),
    ("text", returning("yes"), "its pattern returned str, not True or False"),
    ("empty", returning([]), "its pattern returned list, not True or False"),
    ("true", returning(True), "mine says no"),
]


class TestMisbehaviour(Table):
    denials = tuple(denied(name, detect, [bad("bad")], GOOD) for name, detect, _ in MISBEHAVIOUR)
    harmless = (Harmless("it-behaves", GOOD * 3, on(returning(None))),)


@pytest.mark.parametrize(("detect", "reason"), [row[1:] for row in MISBEHAVIOUR])
def test_the_reason_tells_what_the_pattern_did(detect: Any, reason: str) -> None:
    monitor = on(detect).monitor()
    verdict = monitor.decide(monitor.attempt("bad", (), {}), 0.0)
    assert isinstance(verdict, Deny)
    # A forgotten `return` is not mended by bool(...).
    mended = "returned" in reason and "None" not in reason
    assert verdict.reason == reason + ("; wrap it in bool(...)" if mended else "")


class Spy:
    """Does something to what it is given, and keeps what it saw."""

    def __init__(self, act: Any = None) -> None:
        self.act, self.seen = act, list[tuple[Any, Entries]]()

    def __call__(self, name: str, args: Any, history: Entries) -> bool:
        self.seen.append((args, list(history)))
        if self.act is not None:
            self.act(args, history)
        return False


def mutate(args: Any, history: Entries) -> None:
    args["amount"] = 0
    args["list"].append(99)
    for entry in history:
        entry.args["list"].append(99)
        entry.args.clear()
    history.clear()


def test_copies_only() -> None:
    first, second = Spy(mutate), Spy()
    other = SuspiciousPattern(id="OTHER", description="odd", detect=second)
    args = {"amount": 7, "list": [1]}
    monitor = on(first, other).monitor()
    for _ in range(2):
        assert monitor.decide(monitor.attempt("pay", (), args), 0.0).allowed  # type: ignore[union-attr]
    assert args == {"amount": 7, "list": [1]}
    assert [seen for seen, _ in second.seen] == [args, args]
    assert [[entry.args for entry in history] for _, history in second.seen] == [[], [args]]
    assert [entry.args for entry in monitor.history] == [args, args]


@pytest.mark.parametrize(
    "act",
    [
        lambda _args, history: setattr(history[0], "name", "other"),
        lambda _args, history: setattr(history[0], "timestamp", 0.0),
        lambda _args, history: setattr(history[0], "allowed", False),
        lambda _args, history: setattr(history[0], "args", {}),
        lambda _args, history: setattr(history[0], "new", 1),
        lambda _args, history: delattr(history[0], "name"),
    ],
)
def test_entries_cannot_be_changed(act: Any) -> None:
    monitor = Setting().monitor()
    monitor.decide(monitor.attempt("a", (), {}), 1.0)
    entry = monitor.history[0]
    with pytest.raises(AttributeError):
        act({}, [entry])
    assert (entry.name, entry.timestamp, entry.allowed, entry.args) == ("a", 1.0, True, {})
    trying = on(Spy(lambda args, history: history and act(args, history)))
    assert answers(trying, [Step("a"), Step("a", expect=MINE)]) == ["allowed", MINE]


def test_every_pattern_is_asked_in_turn_until_one_objects() -> None:
    spies = [Spy() for _ in range(3)]
    spies[1].act = lambda _args, _history: 1 / 0
    more = [SuspiciousPattern(id=f"P{i}", description="odd", detect=s) for i, s in enumerate(spies)]
    assert answers(on(lambda *_: False, *more), [Step("a", expect="-")]) == ["sequence/P1"]
    assert [len(spy.seen) for spy in spies] == [1, 1, 0]


def test_each_one_is_asked_with_patience() -> None:
    asked = []

    def patience(ask: Callable[[], object]) -> object:
        asked.append(ask())
        raise TimeoutError

    pattern = SuspiciousPattern(id="MINE", description="odd", detect=lambda *_: False)
    policy = ParentValidation(suspicious_patterns=(pattern,))
    monitor = Monitor((), policy, catch_all=True, patience=patience)
    monitor.begin_run(1)
    assert judge(monitor, Step("a")) == MINE
    assert asked == [False]


def test_built_in_ones_come_first() -> None:
    spy = Spy()
    assert answers(on(spy), [Step("bulk", expect="-")]) == ["sequence/BULK_OPERATION"]
    assert spy.seen == []


def rate_spike(name: str, args: Any, history: Entries) -> bool:
    """The second example of the specification, which meant: ten within a second."""
    last10 = history[-10:]
    return len(last10) == 10 and time.time() - last10[0].timestamp < 1.0


def rate_spike_as_written(name: str, args: Any, history: Entries) -> bool:
    last10 = history[-10:]
    return time.time() - (last10[0].timestamp if last10 else 0) < 1.0


def test_rate_spike_does_not_fire_before_ten_operations() -> None:
    now = time.time()
    calls = [Step(f"note:{i}", at=now) for i in range(10)]
    assert answers(on(rate_spike), [*calls, Step("x", at=now)]) == ["allowed"] * 10 + [MINE]
    spread = [Step(f"note:{i}", at=now - 10 + i) for i in range(11)]
    assert set(answers(on(rate_spike), spread)) == {"allowed"}
    assert answers(on(rate_spike_as_written), calls)[:2] == ["allowed", MINE]
