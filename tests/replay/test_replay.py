"""What another policy would change, and what no policy decides on."""

from __future__ import annotations

import itertools
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ConfigError, Deny, DoubleVM, ParentValidation, SuspiciousPattern, WouldDeny
from doublevm.audit import JsonlSink, Redact, SqliteSink, replay
from doublevm.host.recorder import UNAVAILABLE
from doublevm.host.sinks.conversations import Conversations
from doublevm.host.sinks.entries import Attempt, Tried, attempt_of
from doublevm.host.sinks.rejudging import rejudged
from doublevm.monitor import GIVEN_UP
from tests.audit.making import attempt, ended, opened
from tests.monitor.traces import Act
from tests.replay.recording import Kept, Recording

if TYPE_CHECKING:
    from pathlib import Path

    from doublevm.audit import Replay
    from doublevm.host.sinks.entries import AnyEntry

DAY = 24 * 3600.0


def policy(**options: Any) -> DoubleVM:
    return DoubleVM(parent_validation=ParentValidation(**options))


def mine(answer: bool, **options: Any) -> SuspiciousPattern:  # noqa: FBT001 - it is the point
    return SuspiciousPattern(id="MINE", description="odd", detect=lambda *_: answer, **options)


@pytest.fixture
def judged(tmp_path: Path) -> Any:
    """Replays a trail of these entries."""
    numbers = itertools.count()

    def judge(entries: list[AnyEntry], double_vm: DoubleVM, **options: Any) -> Replay:
        path = tmp_path / f"trail-{next(numbers)}.jsonl"
        with JsonlSink(path) as sink:
            sink.write(entries)
        return replay(path, double_vm, **options)

    return judge


def denied(number: int, address: str, **changes: Any) -> Attempt:
    barrier, _, rule = address.partition("/")
    return attempt(number, verdict=Deny(barrier, rule, "why"), **changes)


def labels(found: Replay) -> list[tuple[str, str, str, int]]:
    return [(each.kind, each.before, each.after, each.count) for each in found.changes]


def test_what_would_change_by_rule(kind: str, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as sink:
        sink.write([attempt(1, operation="users:list"), ended(1)])
        sink.write([denied(2, "sequence/EXFIL_LIST_SEND", operation="mail:send")])
        sink.write([denied(3, "names/blocked", operation="bulk_get")])
        sink.write([attempt(4, operation="users:list"), attempt(5, operation="users:get")])
    options = {"blocked_operation_patterns": ("list$",), "disabled_patterns": ("EXFIL_LIST_SEND",)}
    found = replay(sink.path, policy(**options), examples=1)
    assert labels(found) == [
        ("denied", "allow", "names/blocked", 2),
        ("allowed", "sequence/EXFIL_LIST_SEND", "allow", 1),
        ("otherwise", "names/blocked", "sequence/BULK_OPERATION", 1),
    ]
    assert (found.operations, found.conversations, found.exact) == (5, 1, True)
    (example,) = found.changes[0].examples
    assert (example.number, example.operation, example.arguments) == (1, "users:list", {"n": 1})
    assert example.after == Deny("names", "blocked", "its name is blocked")
    assert replay(sink.path, policy(**options), examples=0).changes[0].examples == ()


def test_each_conversation_has_its_own_history(judged: Any) -> None:
    entries = [attempt(operation="a:list"), attempt(operation="mail:send", enclave="f" * 16)]
    found = judged(entries, policy())
    assert (labels(found), found.conversations) == ([], 2)
    found = judged([entries[0], attempt(2, operation="mail:send")], policy())
    assert labels(found) == [("denied", "allow", "sequence/EXFIL_LIST_SEND", 1)]


def test_what_would_be_denied_is_remembered_as_denied(judged: Any) -> None:
    """So the send is allowed then, though the trail has the list before it."""
    entries = [attempt(1, operation="x:list"), attempt(2, operation="mail:send")]
    found = judged(entries, policy(blocked_operation_patterns=("^x:",)))
    assert labels(found) == [("denied", "allow", "names/blocked", 1)]


def test_a_policy_that_is_tried_denies_nothing(judged: Any) -> None:
    entries = [attempt(1, operation="x:a"), denied(2, "names/blocked", operation="x:a")]
    found = judged(entries, policy(blocked_operation_patterns=("^x:",), enforce=False))
    assert labels(found) == [
        ("allowed", "names/blocked", "would_deny names/blocked", 1),
        ("otherwise", "allow", "would_deny names/blocked", 1),
    ]


def test_enforcing_what_was_tried(judged: Any) -> None:
    tried = Tried(WouldDeny("names", "blocked", "why"))
    entries = [attempt(operation="x:a", verdict=tried)]
    found = judged(entries, policy(blocked_operation_patterns=("^x:",)))
    assert labels(found) == [("denied", "would_deny names/blocked", "names/blocked", 1)]
    found = judged(entries, policy())
    assert labels(found) == [("otherwise", "would_deny names/blocked", "allow", 1)]


KEPT = (
    "arguments/binding",
    "arguments/type",
    "arguments/values",
    "names/unregistered",
    "budget/max_tool_calls",
    "monitor/error",
    "rate/max_messages_per_second",
    "audit/unavailable",
    "sequence/MINE",
)


@pytest.mark.parametrize("address", KEPT)
def test_what_no_policy_decides_on_is_taken_over(judged: Any, address: str) -> None:
    entries = [denied(1, address), attempt(2)]
    found = judged(entries, policy())
    assert (labels(found), found.kept) == ([], {address: 1})
    # It was an attempt, and counts as one that was denied.
    found = judged(entries, policy(rapid_enumeration_threshold=1))
    assert labels(found) == [("denied", "allow", "sequence/RAPID_ENUMERATION", 1)]
    found = judged(
        [denied(1, address, operation="a:list"), attempt(2, operation="b:send")], policy()
    )
    assert labels(found) == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("names/unregistered", []),
        ("arguments/type", []),
        ("budget/max_tool_calls", [("otherwise", "budget/max_tool_calls", "names/blocked", 1)]),
        ("sequence/MINE", [("otherwise", "sequence/MINE", "names/blocked", 1)]),
    ],
)
def test_it_stays_in_its_place_of_the_order(judged: Any, address: str, expected: list[Any]) -> None:
    entries = [denied(1, address, operation="x:a")]
    assert labels(judged(entries, policy(blocked_operation_patterns=("^x:",)))) == expected
    tried = policy(blocked_operation_patterns=("^x:",), enforce=False)
    after = [("allowed", address, "would_deny names/blocked", 1)]
    assert labels(judged(entries, tried)) == (after if address == "sequence/MINE" else [])


def test_a_pattern_that_the_policy_does_not_know(judged: Any) -> None:
    entries = [denied(1, "sequence/MINE"), attempt(2)]
    assert labels(judged(entries, policy())) == []
    newly = [("allowed", "sequence/MINE", "allow", 1)]
    assert labels(judged(entries, policy(block_suspicious_sequences=False))) == newly
    assert labels(judged(entries, DoubleVM(enabled=False))) == newly
    would = [("allowed", "sequence/MINE", "would_deny sequence/MINE", 1)]
    assert labels(judged(entries, policy(enforce=False))) == would
    tried = [attempt(1, verdict=Tried(WouldDeny("sequence", "MINE", "why")))]
    found = judged(tried, policy())
    assert (labels(found), found.kept) == ([], {"would_deny sequence/MINE": 1})


def test_a_pattern_that_it_knows_is_asked(judged: Any) -> None:
    entries = [denied(1, "sequence/MINE"), attempt(2)]
    found = judged(entries, policy(suspicious_patterns=(mine(answer=True),)))
    assert labels(found) == [("denied", "allow", "sequence/MINE", 1)]
    found = judged(entries, policy(suspicious_patterns=(mine(answer=False),)))
    assert (labels(found), found.kept) == ([("allowed", "sequence/MINE", "allow", 1)], {})


def test_a_budget_is_judged_where_it_is_given(judged: Any) -> None:
    entries = [attempt(1), attempt(2), denied(3, "budget/max_tool_calls"), attempt(4, run=2)]
    assert labels(judged(entries, policy())) == []
    found = judged(entries, policy(), max_tool_calls=1)
    assert labels(found) == [("denied", "allow", "budget/max_tool_calls", 1)]
    found = judged(entries, policy(), max_tool_calls=3)
    assert labels(found) == [("allowed", "budget/max_tool_calls", "allow", 1)]


def test_a_rate_that_waits_holds_back_and_denies_nothing(judged: Any) -> None:
    entries = [
        attempt(1, judged=100.0),
        denied(2, "rate/max_operations_per_second", judged=100.25),
        attempt(3, judged=100.5),
    ]
    found = judged(entries, policy(max_operations_per_second=1, on_rate_limit="wait"))
    rate = "rate/max_operations_per_second"
    assert labels(found) == [("allowed", rate, "allow", 1)]
    assert found.held == 2
    found = judged(entries, policy(max_operations_per_second=1))
    assert labels(found) == [("denied", "allow", rate, 1)]


def test_who_was_held_back_too_long_would_be_again(judged: Any) -> None:
    entries = [attempt(1, judged=100.0), attempt(2, judged=100.25, verdict=GIVEN_UP)]
    found = judged(entries, policy(max_operations_per_second=1, on_rate_limit="wait"))
    assert (labels(found), found.held) == ([], 0)
    found = judged(entries, policy(max_operations_per_second=2, on_rate_limit="wait"))
    assert labels(found) == [("allowed", "rate/max_operations_per_second", "allow", 1)]


def test_the_times_of_judging_count(judged: Any) -> None:
    """Not those at which the host learnt of it."""
    entries = [attempt(1, judged=100.0, time=100.5), attempt(2, judged=101.0, time=101.0)]
    assert labels(judged(entries, policy(max_operations_per_second=1))) == []


def test_what_was_redacted_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "trail.sqlite"
    with SqliteSink(path, redact=Redact(fields=["password"], patterns=["EMP-7"])) as sink:
        sink.write([attempt(1), attempt(2, arguments={"password": "x"})])
        sink.write([attempt(3, arguments={"x": ["EMP-7"]}), attempt(4, operation="EMP-7")])
    found = replay(path, policy())
    assert (found.redacted, found.exact) == (3, False)


def test_what_is_missing_is_counted(judged: Any) -> None:
    whole: list[AnyEntry] = [attempt(n) for n in range(1, 6)]
    assert judged(whole, policy()).exact
    assert judged(whole[:3], policy()).exact
    for kept, missing in (([0, 2, 4], 2), ([2, 3], 2), ([0, 4], 3)):
        found = judged([whole[n] for n in kept], policy())
        assert (found.missing, found.exact) == (missing, False)


def test_scores_are_no_operations(judged: Any) -> None:
    score = attempt(1, operation="", arguments={"score": 5})
    blocked = denied(2, "scoring/block_threshold", operation="", run=2)
    found = judged([score, blocked, attempt(3, run=3)], policy())
    assert (found.operations, found.conversations, found.missing) == (1, 1, 0)
    assert labels(found) == []
    found = judged([score, attempt(5)], policy())
    assert found.missing == 3


def test_an_operation_without_a_name_is_one(judged: Any) -> None:
    found = judged([denied(1, "names/grammar", operation="")], policy())
    assert (found.operations, labels(found)) == (1, [])


def test_the_order_is_that_of_judging(kind: str, tmp_path: Path) -> None:
    """The clock may have been set back between two operations."""
    with opened(kind, tmp_path) as sink:
        sink.write([attempt(1, operation="a:list", time=500.0, judged=500.0)])
        sink.write([attempt(2, operation="b:send", time=100.0, judged=100.0)])
    found = replay(sink.path, policy())
    assert labels(found) == [("denied", "allow", "sequence/EXFIL_LIST_SEND", 1)]
    assert (found.set_back, found.exact) == (1, False)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    with pytest.raises(ConfigError, match="there is no trail"):
        replay(path, policy())
    with JsonlSink(path) as sink:
        sink.write([attempt(1)])
    with pytest.raises(ConfigError, match=r"^double_vm must be DoubleVM\(\.\.\.\), not None"):
        replay(path, None)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(ConfigError, match="examples must be a whole number of at least 0, not -1"):
        replay(path, policy(), examples=-1)
    with pytest.raises(ConfigError, match="max_tool_calls must be a whole number of at least 1"):
        replay(path, policy(), max_tool_calls=0)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"entry":')  # a host died just then
    assert replay(path, policy()).operations == 1
    path.write_bytes(b"nothing\n" + whole)
    with pytest.raises(ValueError, match=r"trail.jsonl, line 1: no entry"):
        replay(path, policy())


def test_the_store_that_failed_leaves_what_it_had() -> None:
    """The parent VM had let it through, and knows it as allowed: what other sinks have says so."""
    conversation = Recording("e" * 16, ParentValidation())
    conversation.begin(10)
    conversation.attempt(Act("users:list", {}, 0.0), 100.0, patient=True)
    kept = attempt_of("e" * 16, conversation.trail.at(0), 100.0)
    conversation.trail.denied(0, UNAVAILABLE)
    conversation.attempt(Act("mail:send", {}, 0.0), 101.0, patient=True)
    found = list(rejudged(Kept([kept, conversation.entries[1]]), policy(), None))
    assert [each.before for each in found] == [each.after for each in found]
    found = list(rejudged(Kept([conversation.entries[1]]), policy(), None))
    assert found[0].missing == 1


ENDLESS = r"(a+)+$"
NAME = "a" * 40 + "-"


def test_an_expression_that_takes_for_ever_does_not() -> None:
    slow = policy(blocked_operation_patterns=(ENDLESS,))
    entries = [denied(1, "names/too_slow", operation=NAME), attempt(2)]
    first, second = rejudged(Kept(entries), slow, None)
    assert (first.after.address, second.after.allowed) == ("names/too_slow", True)  # type: ignore[union-attr]  # it is a denial


def test_in_another_thread_there_is_no_timer() -> None:
    found: list[Any] = []
    entries = Kept([attempt(1, operation="x:a")])
    work = threading.Thread(
        target=lambda: found.extend(
            rejudged(entries, policy(blocked_operation_patterns=("^x:",)), None)
        )
    )
    work.start()
    work.join()
    assert found[0].after == Deny("names", "blocked", "its name is blocked")


def test_a_budget_goes_on_after_a_long_silence(judged: Any) -> None:
    times = {"time": 1000.0 + DAY / 2, "judged": 1000.0 + DAY / 2}
    entries = [attempt(1), attempt(2), attempt(1, enclave="f" * 16, **times), attempt(3, **times)]
    assert labels(judged(entries, policy(), max_tool_calls=2)) == [
        ("denied", "allow", "budget/max_tool_calls", 1)
    ]
    found = judged(entries, policy(), max_tool_calls=3)
    assert (labels(found), found.missing, found.conversations) == ([], 0, 2)


def test_conversations_that_are_over_are_forgotten() -> None:
    """A trail of any length is judged in the room of what goes on at one time."""
    kept = Conversations(ParentValidation(), None)
    most = 0
    for n in range(3000):
        conversation = kept.of(attempt(1, enclave=f"{n:016}", time=1000.0 + n))
        conversation.monitor.begin_run(1)
        most = max(most, len(kept))
    assert most < 100
    later = kept.of(attempt(2, enclave=f"{0:016}", time=5000.0))
    assert later.monitor.history == ()
    kept.of(attempt(1, enclave="f" * 16, time=5000.0 + 2 * DAY))
    assert len(kept) == 1
    assert not kept._silent


def test_a_trail_is_not_kept_in_memory() -> None:
    large = {"text": "x" * 10_000}

    class Long(Kept):
        def places(self) -> Any:
            for n in range(1, 2001):
                entry = attempt(n, arguments=large, time=1000.0 + n, judged=1000.0 + n)
                yield from Kept([entry]).places()

    tracemalloc.start()
    try:
        assert all(each.after.allowed for each in rejudged(Long([]), policy(), None))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2000 * 10_000 / 4
