from __future__ import annotations

import pytest

from tests.scoring.programs import check

SUSPICIOUS = [
    "▸call_tool(name)",
    "▸call_tool(f'users:{what}')",
    "▸call_tool()",
    "for name in ['users:list', 'users:get']:\n    ▸call_tool(name)",
    "▸getattr(users, name)()",
    "u = users\n▸getattr(u, name)()",
    "▸globals()[name]()",
    "c = call_tool\n▸c(name)",
    "def run(name):\n    return ▸call_tool(name)\nrun('users:list')",
]
HARMLESS = [
    "call_tool('users:list')",
    "name = 'users:list'\ncall_tool(name)",
    "name = 'users' + ':list'\ncall_tool(name)",
    "getattr(users, 'list')()",
    "globals()['list_expenses']()",
    "getattr(x.y, name)()",
    "getattr('abc', name)()",
    "getattr(users, name)",
    "x[name]()",
    "def call_tool(name): pass\ncall_tool(name)",
]


@pytest.mark.parametrize("program", [*SUSPICIOUS, *HARMLESS])
def test_dynamic_tool(program: str) -> None:
    check("DYNAMIC_TOOL", program)
