"""Invariant tested: a trail replayed with its own policy has every verdict again, and reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from doublevm.host.sinks.rejudging import rejudged
from doublevm.policy import DoubleVM, ParentValidation, SuspiciousPattern
from doublevm.verdict import Deny, WouldDeny
from tests.barriers.sequences import IDS
from tests.monitor.traces import Act, policies, traces
from tests.replay.recording import Kept, Recording

if TYPE_CHECKING:
    from doublevm.history import OperationHistoryEntry
    from doublevm.host.sinks.rejudging import Rejudged


def looks_back(name: str, args: Any, history: list[OperationHistoryEntry]) -> bool:
    """Depend on all that a detector can see."""
    seen = [(entry.name, entry.args.get("limit"), entry.timestamp % 7) for entry in history]
    return hash((len(seen), sum(not entry.allowed for entry in history), *seen[-2:])) % 5 == 0


def looking_back(*, enforce: bool) -> tuple[SuspiciousPattern, ...]:
    return (SuspiciousPattern(id="BACK", description="odd", detect=looks_back, enforce=enforce),)


UNENFORCED: Final = st.sets(st.sampled_from(IDS)).map(lambda ids: tuple(sorted(ids)))


@st.composite
def every_policy(draw: st.DrawFn) -> ParentValidation:
    """Policies with everything that they can say."""
    own = draw(st.sampled_from(((), looking_back(enforce=True), looking_back(enforce=False))))
    fixed = {
        "enforce": draw(st.sampled_from((True, True, False))),
        "on_rate_limit": draw(st.sampled_from(("deny", "wait"))),
        "unenforced_patterns": draw(UNENFORCED),
        "suspicious_patterns": own,
    }
    return draw(policies(**fixed))


def recorded(
    policy: ParentValidation,
    traces_: list[list[Act]],
    *,
    choices: list[int],
    budget: int | None,
    crashes: bool,
) -> list[Recording]:
    """Play conversations in turn; ``choices`` say what cannot be foreseen."""
    made = [Recording(f"{n:016}", policy, catch_all=n % 2 == 1) for n, _ in enumerate(traces_)]
    for n, (conversation, trace) in enumerate(zip(made, traces_, strict=True)):
        now = 1.7e9
        conversation.begin(100 if budget is None else budget)
        for i, act in enumerate(trace):
            now += act.later
            choice = choices[(i + n) % len(choices)]
            if act.begin is not None:
                conversation.begin(act.begin if budget is None else budget)
            if crashes and choice == 0:
                conversation.crash(now)
            now = conversation.attempt(act, now, patient=choice != 1, late=choice / 64)
    return made


def interleaved(made: list[Recording]) -> Kept:
    entries = [entry for each in made for entry in each.entries]
    return Kept(sorted(entries, key=lambda entry: entry.judged))


def check(found: Rejudged) -> None:
    assert found.after == found.before
    assert not found.held
    assert not found.redacted
    assert found.missing == 0


CHOICES: Final = st.lists(st.integers(0, 7), min_size=1, max_size=60)
MANY: Final = 2


@settings(deadline=None, max_examples=200)
@given(
    every_policy(),
    st.lists(traces(backwards=False, longest=40), min_size=1, max_size=MANY),
    CHOICES,
    st.sampled_from((None, 100, 3)),
)
def test_every_verdict_although_pairs_crash(
    policy: ParentValidation, traces_: list[list[Act]], choices: list[int], budget: int | None
) -> None:
    made = recorded(policy, traces_, choices=choices, budget=budget, crashes=True)
    count = 0
    for found in rejudged(interleaved(made), DoubleVM(parent_validation=policy), budget):
        check(found)
        assert not found.set_back
        count += 1
    assert count == sum(map(len, traces_))


@settings(deadline=None, max_examples=100)
@given(every_policy(), traces(longest=60), CHOICES, st.sampled_from((None, 100, 3)))
def test_every_verdict_although_the_clock_is_set_back(
    policy: ParentValidation, trace: list[Act], choices: list[int], budget: int | None
) -> None:
    made = recorded(policy, [trace], choices=choices, budget=budget, crashes=False)
    for found in rejudged(interleaved(made), DoubleVM(parent_validation=policy), budget):
        check(found)


@settings(deadline=None, max_examples=50)
@given(traces(longest=30), CHOICES)
def test_every_verdict_where_nothing_is_judged(trace: list[Act], choices: list[int]) -> None:
    conversation = Recording("e" * 16, None, catch_all=True)
    conversation.begin(10)
    for act, choice in zip(trace, choices * len(trace), strict=False):
        conversation.attempt(act, 1.7e9, patient=True, late=choice / 64)
    for found in rejudged(Kept(conversation.entries), DoubleVM(enabled=False), None):
        check(found)


def test_the_traces_get_to_every_barrier() -> None:
    """The invariant would show little if all were allowed."""
    seen: set[str] = set()

    @settings(deadline=None, max_examples=200, derandomize=True, database=None)
    @given(every_policy(), traces(longest=40), CHOICES)
    def collect(policy: ParentValidation, trace: list[Act], choices: list[int]) -> None:
        made = recorded(policy, [trace] * MANY, choices=choices, budget=None, crashes=True)
        for found in rejudged(interleaved(made), DoubleVM(parent_validation=policy), None):
            match found.before:
                case Deny() as denial:
                    seen.add(denial.address)
                case WouldDeny() as would:
                    seen.add(f"would {would.address}")

    collect()
    assert seen >= {
        "arguments/binding",
        "names/grammar",
        "names/unregistered",
        "names/blocked",
        "names/not_allowed",
        "budget/max_tool_calls",
        "rate/max_operations_per_second",
        "sequence/BACK",
        "would names/blocked",
        "would names/not_allowed",
        "would rate/max_operations_per_second",
        "would sequence/BACK",
        *(f"sequence/{id_}" for id_ in IDS),
        *(f"would sequence/{id_}" for id_ in IDS),
    }
