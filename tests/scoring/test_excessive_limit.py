from __future__ import annotations

import pytest

from tests.scoring.programs import check

SUSPICIOUS = [
    "users.list(limit=▸10_001)",
    "users.list(limit=▸50000)",
    "users.list(None, ▸50000)",
    "users.list(filter={'page': {'max_results': ▸20000}})",
    "users.list(page_size=▸-1)",
    "users.list(limit=▸10 ** 6)",
    "users.list(limit=▸500 * 1000)",
    "users.list(limit=▸10**6 // 3 + 2)",
    "import sys\nusers.list(limit=▸sys.maxsize)",
    "import math\nusers.list(limit=▸math.inf)",
    "users.list(limit=▸float('inf'))",
    "users.list(limit=▸'all')",
    "users.list(limit=▸'unlimited')",
    "users.list(limit=▸' 50,000 ')",
    "MANY = 99_999\nusers.list(limit=▸MANY)",
    "options = {'limit': ▸99_999}\nusers.list(**options)",
    "users.list(**{'limit': ▸99_999})",
    "call_tool('users:list', {'limit': ▸99_999})",
    "call_tool('users:list', limit=▸99_999)",
    "what = {'limit': ▸99_999}\ncall_tool('users:list', what)",
    "list_expenses(limit=▸20000)\nlist_expenses(limit=▸30000)",
    "users.list(limit=▸2 ** 400)",
    "users.list(limit=▸10 ** 400)",
    "é = 'é'; users.list(limit=▸50000)",
]
HARMLESS = [
    "users.list(limit=10_000)",
    "users.list(limit='10000')",
    "users.list(limit=None)",
    "users.list(limit=True)",
    "users.list(limit='many')",
    "users.list(limit=-5)",
    "users.list(credit_limit=50_000)",
    "users.list(unlimited=50_000)",
    "users.list(offset=50_000)",
    "limit = 50_000",
    "print(dict(limit=50_000))",
    "n = 50_000\nn = len('abc')\nusers.list(limit=n)",
    "n = 50_000\nn -= 49_990\nusers.list(limit=n)",
    "options = {'limit': 50_000}\noptions['limit'] = 5\nusers.list(**options)",
    "def users(): pass\nusers.list(limit=50_000)",
    "users.list(limit=10 ** 10 ** 10)",
    "users.list(limit=1 / 0)",
    "users.list(limit=(-8) ** 0.5)",
    "users.list(limit=float('nan'))",
    "users.list(limit=float('inf') - float('inf'))",
    "users.list(limit=50_000 @ 2)",
]


@pytest.mark.parametrize("program", [*SUSPICIOUS, *HARMLESS])
def test_excessive_limit(program: str) -> None:
    check("EXCESSIVE_LIMIT", program)
