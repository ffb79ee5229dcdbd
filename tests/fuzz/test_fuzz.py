"""Hostile frames by the thousand: whatever comes, the outcome is one that callers know."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from doublevm.host import handlers
from doublevm.wire.codec import decode
from tests.fuzz import targets
from tests.fuzz.case import Case, Chunk
from tests.fuzz.fuzz import Campaign, FindingError, checked, smallest
from tests.fuzz.sequences import new_case

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fuzz.case import Target

EXAMPLES, FRAMES = 60, 300
"""So many seeds for each target, and so many frames from each at least: 72,000 in all."""

TARGETS = pytest.mark.parametrize("target", ["guest", "parent", "bytes", "source"])


@TARGETS
# A seed has nothing that could be made smaller; ``smallest`` does that with the case.
@settings(max_examples=EXAMPLES, phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_hostile_frames(target: Target, seed: int) -> None:
    campaign = Campaign(seed, target)
    while campaign.total < FRAMES:
        campaign.step()
    assert campaign.total >= FRAMES, "a step that the target does not survive raises"


@TARGETS
def test_a_case_survives_its_file(tmp_path: Path, target: Target) -> None:
    path = tmp_path / "case"
    for number in range(20):
        case = new_case(1, number, target)
        assert case == new_case(1, number, target)
        case.write(path)
        assert Case.read(path) == case


def test_most_cases_get_somewhere() -> None:
    """Frames that are all refused at the door would test nothing behind it."""
    seen: set[str] = set()

    def look(result: Any) -> None:
        seen.add(result.error.code if result.error else "success")
        seen.update(f"{record.verdict.allowed} {record.outcome}" for record in result.audit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets, "_look_at_result", look)
        campaign = Campaign(3)
        while campaign.total < 5000:
            campaign.step()
    assert seen >= {
        "success", "EXECUTION_ERROR", "OPERATION_DENIED", "MEMORY_LIMIT_EXCEEDED",
        "OUTPUT_LIMIT_EXCEEDED", "VALIDATION_ERROR",
        "True returned", "True raised", "False denied",
    }  # fmt: skip


# --- the fuzzer finds what is there: with a check gone it does not take long ------------------


def finding(target: Target) -> FindingError:
    campaign = Campaign(5, target)
    with pytest.raises(FindingError) as caught:
        collections.deque(iter(campaign.step, campaign), maxlen=0)  # until it fails
    return caught.value


def test_it_finds_a_host_that_checks_no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "judge_arguments", lambda *_: None)
    found = finding("parent")
    assert isinstance(found.__cause__, AssertionError | TypeError)


def test_it_finds_an_exception_that_may_not_come_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doublevm.host.run._decode", lambda payload, _frame: decode(payload))
    found = finding("parent")
    assert type(found.__cause__).__name__ == "CodecError"
    small = smallest(found.case)
    assert sum(map(len, small.lives)) <= sum(map(len, found.case.lives))
    with pytest.raises(FindingError):
        checked(small)


def test_it_finds_a_reader_that_does_not_expect_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doublevm.guard.reading.TooLargeError", ZeroDivisionError)
    assert type(finding("source").__cause__).__name__ == "TooLargeError"


def test_an_honest_parent_vm_goes_through() -> None:
    case = Case("parent", 0, False, ((Chunk(b""),),))
    assert checked(case) == 1
