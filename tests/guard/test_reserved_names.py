"""Reserved names: a tool's that is defined again, and those that are kept."""

from __future__ import annotations

import pytest

from tests.guard.asking import Found, around, asked

TOOLS = around("list_users", "users:list", "mail.send")

PASSES = [
    "rows = list_users()",
    "list_users = list_users()",
    "def helper(list_users): return list_users",
    "class Mine:\n    def list_users(self): return []\n    def users(self): pass",
    "def f():\n    def list_users(): pass",
    "__name__ = 'x'\n__all__ = []\n__version__ = '1'",
    "call_tool('users:list')",
    "import json as users_json",
    "x.__builtins__ = 1",
]

HIDES = "is a tool, which this definition hides"
KEPT = "is kept for the program's surroundings"
OUT = "leave the definition out and call the tool"
OTHER = "choose another name"

FINDS: list[tuple[str, list[Found]]] = [
    ("x = 1\ndef list_users(): return []", [(2, 1, f"'list_users' {HIDES}", OUT)]),
    ("async def users(): pass", [(1, 1, f"'users' {HIDES}", OUT)]),
    ("class mail: pass", [(1, 1, f"'mail' {HIDES}", OUT)]),
    ("__builtins__ = {}", [(1, 1, f"the name '__builtins__' {KEPT}", OTHER)]),
    ("if 1:\n    def call_tool(n): pass", [(2, 5, f"the name 'call_tool' {KEPT}", OTHER)]),
    ("import json as __import__", [(1, 8, f"the name '__import__' {KEPT}", OTHER)]),
    ("f = lambda __loader__: 1", [(1, 12, f"the name '__loader__' {KEPT}", OTHER)]),
    ("__doublevm_value__ = 2", [(1, 1, f"the name '__doublevm_value__' {KEPT}", OTHER)]),
    ("del __spec__", [(1, 5, f"the name '__spec__' {KEPT}", OTHER)]),
]


@pytest.mark.parametrize("program", PASSES)
def test_passes(program: str) -> None:
    assert asked("reserved_names", program, TOOLS) == []


@pytest.mark.parametrize(("program", "expected"), FINDS)
def test_finds(program: str, expected: list[Found]) -> None:
    assert asked("reserved_names", program, TOOLS) == expected
