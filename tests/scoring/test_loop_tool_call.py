from __future__ import annotations

import pytest

from tests.scoring.programs import check

SUSPICIOUS = [
    "for i in range(3):\n    ▸users.get(i)",
    "while True:\n    ▸users.get(1)",
    "while ▸users.get(1):\n    pass",
    "[▸users.get(i) for i in range(3)]",
    "{i: ▸users.get(i) for i in range(3)}",
    "[i for i in range(3) if ▸users.get(i)]",
    "[j for i in range(3) for j in ▸users.get(i)]",
    "def one(i):\n    return ▸users.get(i)\nfor i in range(3):\n    one(i)",
    (
        "def one(i):\n    return two(i)\ndef two(i):\n"
        "    return ▸users.get(i)\n[one(i) for i in range(3)]"
    ),
    "get = lambda i: ▸users.get(i)\nfor i in range(3):\n    get(i)",
    "list(map(▸users.get, range(3)))",
    "list(map(lambda i: ▸users.get(i), range(3)))",
    "sorted(range(3), key=▸users.get)",
    "pool.map(▸users.get, range(3))",
    "list(map(▸call_tool, ['users:list']))",
    "async def main():\n    return await asyncio.gather(*[▸users.get(i) for i in range(3)])",
    "async def main():\n    async for i in x:\n        ▸users.get(i)",
    (
        "for i in range(3):\n    if i:\n        try:\n"
        "            ▸users.get(i)\n        finally:\n            ▸notify()"
    ),
    "for i in range(3):\n    for j in range(3):\n        ▸users.get(i)",
    "class A:\n    def one(self):\n        ▸users.get(1)\nfor i in range(3):\n    A().one()",
    "def f(n):\n    ▸users.get(n)\n    f(n - 1)\nfor i in range(3):\n    f(i)",
]
HARMLESS = [
    "users.get(1)\nusers.get(2)",
    "for row in users.list():\n    print(row)",
    "[row for row in users.list()]",
    "for i in range(3):\n    pass\nelse:\n    users.get(i)",
    "while False:\n    pass\nelse:\n    users.get(1)",
    "def one(i):\n    return users.get(i)\none(1)",
    "for i in range(3):\n    def one():\n        return users.get(i)",
    "for i in range(3):\n    print(i)\nusers.get(i)",
    "for i in range(3):\n    get(i)",
    "get = users.get",
]


@pytest.mark.parametrize("program", [*SUSPICIOUS, *HARMLESS])
def test_loop_tool_call(program: str) -> None:
    check("LOOP_TOOL_CALL", program)
