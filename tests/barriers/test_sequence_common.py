"""What the patterns have in common: who arms them, the order they are asked in, switching off."""

from __future__ import annotations

import pytest

from doublevm.barriers.sequence import BUILT_IN_IDS, built_in_patterns
from tests.barriers.cases import ALLOWED, Setting, Step, answers
from tests.barriers.sequences import IDS, only, steps

PAIRS = {
    "EXFIL_LIST_SEND": ("users:list", "mail:send"),
    "CREDENTIAL_EXFIL": ("vault:token", "web:request"),
    "DELETE_AFTER_ACCESS": ("files:read", "files:delete"),
}


@pytest.mark.parametrize("pattern", PAIRS)
def test_denied_operations_do_not_arm(pattern: str) -> None:
    first, then = PAIRS[pattern]
    blocked = only(pattern, blocked_operation_patterns=(first,))
    assert answers(blocked, steps(first, then)) == ["names/blocked", ALLOWED]
    assert answers(only(pattern), steps(first, then)) == [ALLOWED, f"sequence/{pattern}"]


@pytest.mark.parametrize("pattern", PAIRS)
def test_a_denied_one_does_not_disarm_either(pattern: str) -> None:
    first, then = PAIRS[pattern]
    blocked = only(pattern, blocked_operation_patterns=("^z",))
    made = [Step(first), Step(f"z:{first}"), Step(then), Step(then)]
    denied = f"sequence/{pattern}"
    assert answers(blocked, made) == [ALLOWED, "names/blocked", denied, denied]


@pytest.mark.parametrize("pattern", PAIRS)
def test_sequences_span_runs(pattern: str) -> None:
    first, then = PAIRS[pattern]
    monitor = only(pattern).monitor()
    assert monitor.decide(monitor.attempt(first, (), {}), 0.0).allowed  # type: ignore[union-attr]
    monitor.begin_run(10)
    verdict = monitor.decide(monitor.attempt(then, (), {}), 3.0)
    assert verdict.address == f"sequence/{pattern}"  # type: ignore[union-attr]


@pytest.mark.parametrize("pattern", PAIRS)
def test_everything_is_off_with_block_suspicious_sequences(pattern: str) -> None:
    setting = Setting(options={"block_suspicious_sequences": False})
    every = [*steps(*PAIRS[pattern]), Step("bulk"), *(Step("a") for _ in range(20))]
    assert set(answers(setting, every)) == {ALLOWED}


def test_the_ids() -> None:
    assert BUILT_IN_IDS == IDS


@pytest.mark.parametrize("disabled", [(), *((each,) for each in IDS), IDS[1:4], IDS])
def test_disabled_ones_are_left_out_and_the_order_stays(disabled: tuple[str, ...]) -> None:
    patterns = built_in_patterns(
        window=1.0,
        rapid_window=1.0,
        rapid_threshold=1,
        rapid_overrides={},
        disabled=frozenset(disabled),
    )
    assert [pattern.id for pattern in patterns] == [each for each in IDS if each not in disabled]


@pytest.mark.parametrize(
    ("made", "first", "next_"),
    [
        # Each suits two patterns; without the first of them the other one answers.
        (["secret:list", "mail:send"], "EXFIL_LIST_SEND", "CREDENTIAL_EXFIL"),
        (["a:list", "bulk:send"], "EXFIL_LIST_SEND", "BULK_OPERATION"),
        (["a:list", "bulk:delete"], "BULK_OPERATION", "DELETE_AFTER_ACCESS"),
        (["token:list", "mail:purge"], "CREDENTIAL_EXFIL", "DELETE_AFTER_ACCESS"),
        (["secret", "bulk:mail"], "CREDENTIAL_EXFIL", "BULK_OPERATION"),
    ],
)
def test_the_first_pattern_answers(made: list[str], first: str, next_: str) -> None:
    assert answers(Setting(), steps(*made))[-1] == f"sequence/{first}"
    without = Setting(options={"disabled_patterns": (first,)})
    assert answers(without, steps(*made))[-1] == f"sequence/{next_}"
