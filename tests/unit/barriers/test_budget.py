"""The budget barrier: the attempt beyond the limit is denied, and every later one."""

from __future__ import annotations

import pytest

from doublevm.barriers.budget import judge_budget


@pytest.mark.parametrize(
    ("attempts", "limit", "allowed"),
    [
        (1, 1, True), (2, 1, False), (1, 0, False), (100, 100, True), (101, 100, False),
        (1, 100, True), (10**9, 100, False), (10**9, 10**9, True),
    ],
)  # fmt: skip
def test_budget(attempts: int, limit: int, *, allowed: bool) -> None:
    denial = judge_budget(attempts, limit)
    assert (denial is None) == allowed
    if denial is not None:
        assert denial.address == "budget/max_tool_calls"
        assert f"{limit} tool calls" in denial.reason


def test_exactly_so_many_pass() -> None:
    for limit in range(20):
        passed = [n for n in range(1, 50) if judge_budget(n, limit) is None]
        assert passed == list(range(1, limit + 1))
