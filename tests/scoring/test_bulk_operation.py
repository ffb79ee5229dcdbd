from __future__ import annotations

import pytest

from tests.scoring.programs import check

SUSPICIOUS = [
    "▸users.get_all()",
    "▸users.bulkUpdate()",
    "▸dump_table()",
    "▸call_tool('users:massDelete')",
    "users.list(fetch_all=▸True)",
    "users.list(unlimited=▸True)",
    "▸users.get_all(all=▸True)",
]
HARMLESS = [
    "users.list()",
    "orders.install()",
    "call_tool('calls:recall')",
    "users.list(fetch_all=False)",
    "users.list(fetch_all=x)",
    "users.list(all='True')",
    "get_all_users()",
    "all(users.list())",
]


@pytest.mark.parametrize("program", [*SUSPICIOUS, *HARMLESS])
def test_bulk_operation(program: str) -> None:
    check("BULK_OPERATION", program)
