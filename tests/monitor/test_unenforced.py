"""Policies that are tried: what is not enforced denies nothing, and its first objection shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import doublevm.history
from doublevm.barriers.patience import TooSlowError
from doublevm.monitor import Hold, Monitor
from doublevm.policy import ParentValidation, SuspiciousPattern
from doublevm.verdict import Allow, Deny, WouldDeny
from tests.barriers.cases import Setting, Step
from tests.barriers.sequences import IDS
from tests.monitor.traces import Act, policies, traces

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.verdict import Verdict

RATE = ("rate", "max_operations_per_second")
POLICY = ("names/blocked", "names/not_allowed", "rate/", "sequence/")


def ask(monitor: Monitor, step: Step) -> Verdict | Hold:
    return monitor.decide(monitor.attempt(step.name, step.positional, step.args), step.at)


def tried(monitor: Monitor, step: Step) -> str:
    """Return ``would`` and an address, the address of a denial, or ``allowed``."""
    match ask(monitor, step):
        case Allow():
            return "allowed"
        case Deny() as denial:
            return denial.address
        case WouldDeny() as would:
            assert would.allowed
            assert would.reason
            return f"would {would.address}"
        case Hold():
            return "held"


def setting(**options: Any) -> Setting:
    return Setting(options=options)


def custom(id_: str, answer: Any, *, enforce: bool = True) -> SuspiciousPattern:
    def detect(name: str, args: Any, history: Any) -> bool:
        return bool(answer(name, history) if callable(answer) else answer)

    return SuspiciousPattern(id=id_, description="odd", detect=detect, enforce=enforce)


def verdicts(policy: ParentValidation, trace: list[Act]) -> list[Verdict | Hold]:
    monitor, now = Monitor((), policy, catch_all=True), 1.7e9
    monitor.begin_run(100)
    given_ = []
    for act in trace:
        now += act.later
        if act.begin is not None:
            monitor.begin_run(act.begin)
        given_.append(ask(monitor, Step(act.name, act.args, now)))
    return given_


def is_policy(verdict: Verdict | Hold) -> bool:
    if isinstance(verdict, Deny):
        return verdict.address.startswith(POLICY)
    return isinstance(verdict, Hold)


def is_budget(verdict: Verdict | Hold) -> bool:
    return isinstance(verdict, Deny) and verdict.address == "budget/max_tool_calls"


PATTERN = (custom("MINE", lambda name, history: name == "note" and len(history) % 3 == 0),)


@settings(deadline=None, max_examples=200)
@given(
    st.one_of(policies(), policies(on_rate_limit="wait"), policies(suspicious_patterns=PATTERN)),
    traces(),
)
def test_the_first_objection_is_the_first_denial_of_the_same_policy(
    policy: ParentValidation, trace: list[Act]
) -> None:
    fields = {name: getattr(policy, name) for name in ParentValidation.__slots__}
    tries = ParentValidation(**{**fields, "enforce": False})
    enforced, shadow = verdicts(policy, trace), verdicts(tries, trace)
    assert not any(map(is_policy, shadow))
    first = next((n for n, each in enumerate(shadow) if isinstance(each, WouldDeny)), len(trace))
    for before, tried_before in zip(enforced[:first], shadow[:first], strict=True):
        # What its run's budget denies is denied, whatever the policy says of it before.
        assert tried_before == before or (is_budget(tried_before) and is_policy(before))
    if first == len(trace):
        return
    would, denial = shadow[first], enforced[first]
    assert isinstance(would, WouldDeny)
    if isinstance(denial, Hold):
        assert (would.barrier, would.rule) == RATE
        assert f" {denial.seconds:.3f} s" in would.reason
    else:
        assert isinstance(denial, Deny)
        assert would == WouldDeny(denial.barrier, denial.rule, denial.reason)


@settings(deadline=None, max_examples=100)
@given(
    policies(),
    st.sets(st.sampled_from(IDS)).map(tuple),
    traces(longest=40),
    st.sets(st.integers(0, 40)),
)
def test_a_restored_monitor_tries_as_the_one_that_never_stopped(
    policy: ParentValidation, unenforced: tuple[str, ...], trace: list[Act], moves: set[int]
) -> None:
    fields = {name: getattr(policy, name) for name in ParentValidation.__slots__}
    policy = ParentValidation(**{**fields, "unenforced_patterns": unenforced})
    monitor, now = Monitor((), policy, catch_all=True), 1.7e9
    monitor.begin_run(100)
    expected = verdicts(policy, trace)
    for n, act in enumerate(trace):
        now += act.later
        if act.begin is not None:
            monitor.begin_run(act.begin)
        if n in moves:
            state, monitor = monitor.export_state(), Monitor((), policy, catch_all=True)
            monitor.restore_state(state)
        assert ask(monitor, Step(act.name, act.args, now)) == expected[n]


TRIES: dict[str, tuple[dict[str, Any], list[tuple[Step, str]]]] = {
    "blocked": (
        {"blocked_operation_patterns": ("^x:",)},
        [(Step("x:a"), "would names/blocked"), (Step("y:a"), "allowed")],
    ),
    "not allowed": (
        {"allowed_operation_pattern": "y:.*"},
        [(Step("x:a"), "would names/not_allowed"), (Step("y:a"), "allowed")],
    ),
    "rate": (
        {"max_operations_per_second": 1},
        [
            (Step("a", at=5.0), "allowed"),
            (Step("a", at=5.5), "would rate/max_operations_per_second"),
            (Step("a", at=6.25), "would rate/max_operations_per_second"),
            (Step("a", at=7.25), "allowed"),
        ],
    ),
    "waiting": (
        {"max_operations_per_second": 1, "on_rate_limit": "wait"},
        [
            (Step("a", at=5.0), "allowed"),
            (Step("a", at=5.5), "would rate/max_operations_per_second"),
        ],
    ),
    "sequence": (
        {},
        [
            (Step("a:list"), "allowed"),
            (Step("read_and_send"), "would sequence/EXFIL_LIST_SEND"),
            (Step("bulk_send"), "would sequence/EXFIL_LIST_SEND"),
        ],
    ),
    "of one's own": (
        {"suspicious_patterns": (custom("A", answer=False), custom("B", answer=True))},
        [(Step("a"), "would sequence/B")],
    ),
    "a pattern that fails": (
        {"suspicious_patterns": (custom("A", lambda *_: 1 / 0), custom("B", answer=True))},
        [(Step("a"), "would sequence/A")],
    ),
    "what is no name": ({}, [(Step("no name"), "names/grammar")]),
    "arguments": ({}, [(Step("a", positional=(1,)), "arguments/binding")]),
}


@pytest.mark.parametrize("case", TRIES)
def test_nothing_of_the_policy_is_enforced(case: str) -> None:
    options, steps = TRIES[case]
    monitor = setting(enforce=False, **options).monitor()
    assert [tried(monitor, step) for step, _ in steps] == [expected for _, expected in steps]
    enforced = setting(**options).monitor()
    got = [tried(enforced, step) for step, _ in steps]
    first = next(n for n, (_, expected) in enumerate(steps) if expected != "allowed")
    denied = "held" if case == "waiting" else steps[first][1].removeprefix("would ")
    assert got[: first + 1] == ["allowed"] * first + [denied]


ONE_BY_ONE: dict[str, tuple[dict[str, Any], str]] = {
    "a later one denies": (
        {"unenforced_patterns": ("EXFIL_LIST_SEND",)},
        "sequence/BULK_OPERATION",
    ),
    "an earlier one denies": (
        {"unenforced_patterns": ("BULK_OPERATION",)},
        "sequence/EXFIL_LIST_SEND",
    ),
    "the first is shown": (
        {"unenforced_patterns": ("BULK_OPERATION", "EXFIL_LIST_SEND")},
        "would sequence/EXFIL_LIST_SEND",
    ),
    "one's own denies": (
        {
            "unenforced_patterns": ("BULK_OPERATION", "EXFIL_LIST_SEND"),
            "suspicious_patterns": (
                custom("NO", answer=False),
                custom("A", answer=True, enforce=False),
                custom("B", lambda name, _: name != "a:list"),
            ),
        },
        "sequence/B",
    ),
    "one's own only objects": (
        {
            "disabled_patterns": IDS,
            "suspicious_patterns": (
                custom("A", answer=True, enforce=False),
                custom("B", answer=False),
            ),
        },
        "would sequence/A",
    ),
    "patterns that are off": (
        {"unenforced_patterns": IDS, "block_suspicious_sequences": False},
        "allowed",
    ),
}


@pytest.mark.parametrize("case", ONE_BY_ONE)
def test_one_pattern_alone_is_not_enforced(case: str) -> None:
    options, expected = ONE_BY_ONE[case]
    monitor = setting(**options).monitor()
    assert isinstance(ask(monitor, Step("a:list")), Allow | WouldDeny)
    assert tried(monitor, Step("bulk_send")) == expected


def test_the_budget_is_no_part_of_the_policy() -> None:
    options = {"enforce": False, "blocked_operation_patterns": ("^x:",)}
    monitor = Setting(budget=1, options=options).monitor()
    assert tried(monitor, Step("x:a")) == "would names/blocked"
    assert tried(monitor, Step("x:a")) == "budget/max_tool_calls"


def test_the_room_of_the_history_is_none_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doublevm.history, "MAX_BYTES", 300)
    monitor = setting(enforce=False, blocked_operation_patterns=("^x:",)).monitor()
    assert tried(monitor, Step("x:a")) == "would names/blocked"
    assert tried(monitor, Step("x:a")) == "sequence/history_full"


def test_judging_that_breaks_is_none_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = setting(enforce=False).monitor()
    monkeypatch.setattr(monitor, "_rate", 1)
    assert tried(monitor, Step("a")) == "monitor/error"


def test_names_that_take_too_long_are_let_through() -> None:
    def impatient(_ask: Callable[[], object]) -> object:
        raise TooSlowError

    policy = ParentValidation(enforce=False, blocked_operation_patterns=("x",))
    monitor = Monitor((), policy, catch_all=True, patience=impatient)
    monitor.begin_run(1)
    assert tried(monitor, Step("a")) == "would names/too_slow"


def test_it_took_place_and_is_remembered_so() -> None:
    monitor = setting(enforce=False, blocked_operation_patterns=("^x:",)).monitor()
    assert tried(monitor, Step("x:list")) == "would names/blocked"
    assert [entry.allowed for entry in monitor.history] == [True]
    assert tried(monitor, Step("mail:send")) == "would sequence/EXFIL_LIST_SEND"


def test_an_objection_that_is_enforced_leaves_a_denied_attempt() -> None:
    monitor = setting(unenforced_patterns=("EXFIL_LIST_SEND",)).monitor()
    tried(monitor, Step("a:list"))
    assert tried(monitor, Step("bulk_send")) == "sequence/BULK_OPERATION"
    assert [entry.allowed for entry in monitor.history] == [True, False]


def test_patterns_that_are_not_enforced_are_not_asked_once_there_is_an_objection() -> None:
    asked: list[str] = []

    def spy(id_: str) -> SuspiciousPattern:
        def answer(_name: str, _history: Any) -> bool:
            asked.append(id_)
            return True

        return custom(id_, answer, enforce=False)

    spies = (spy("A"), spy("B"))
    monitor = setting(suspicious_patterns=spies).monitor()
    assert tried(monitor, Step("a")) == "would sequence/A"
    assert asked == ["A"]
