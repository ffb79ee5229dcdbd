from __future__ import annotations

import pytest

from tests.scoring.programs import check

SUSPICIOUS = [
    "charge(amount=▸1_000_001)",
    "charge(amount=▸-2e9)",
    "charge(items=[1, 2, ▸5_000_000])",
    "charge(amount=▸1000 * 1000 * 5)",
    "charge(▸10_000_000)",
    "users.list(limit=▸2_000_000)",
    "call_tool('charge', {'amount': ▸1e12})",
]
HARMLESS = [
    "charge(amount=1_000_000)",
    "charge(amount=-1_000_000)",
    "charge(account_id=4_820_001_334)",
    "charge(ids=[4_820_001_334])",
    "users.list(since=1_730_000_000)",
    "users.list(createdAfter=1_730_000_000)",
    "users.get(phone=4930123456)",
    "files.read(max_bytes=5_000_000)",
    "charge(amount='5000000')",
    "charge(amount=True)",
    "x = 5_000_000",
]


@pytest.mark.parametrize("program", [*SUSPICIOUS, *HARMLESS])
def test_extreme_value(program: str) -> None:
    check("EXTREME_VALUE", program)
