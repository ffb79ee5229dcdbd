"""The programs that every contender runs.

They stay within what the poorest of the contenders understands: no classes, no ``+=``, no
generators. Each one leaves its answer in ``result`` and names it on its last line, so that it is
the value of a program, the value of an expression or a variable, whichever a contender looks at.
"""

from __future__ import annotations

from typing import Final

FRESH: Final = "result = 1 + 1\nresult"

CALLS: Final = """
text = "x" * {size}
result = 0
for n in range({times}):
    result = result + len({call})
result
"""

GATHER: Final = """
import asyncio
rows = await asyncio.gather(*[{call} for n in range({times})])
result = len(rows)
result
"""

_FIB: Final = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
result = 0
for turn in range(TURNS):
    result = fib(15)
result
"""

_LOOPS: Final = """
result = 0
for turn in range(TURNS):
    total = 0
    for n in range(1000):
        total = total + n * n % 7
    result = total
result
"""

_STRINGS: Final = """
result = 0
for turn in range(TURNS):
    words = []
    for n in range(200):
        words.append(str(n) + "-word")
    text = " ".join(words).upper().replace("-", "_")
    result = len(text.split(" "))
result
"""

_DICTS: Final = """
result = 0
for turn in range(TURNS):
    counts = {}
    for n in range(500):
        key = "k" + str(n % 50)
        counts[key] = counts.get(key, 0) + 1
    result = len(counts)
result
"""

_JSON: Final = """
import json
source = json.dumps([{"id": n, "team": "red", "amount": n * 3} for n in range(50)])
result = 0
for turn in range(TURNS):
    rows = json.loads(source)
    kept = [{"id": row["id"], "twice": row["amount"] * 2} for row in rows if row["amount"] % 2 == 0]
    result = len(json.dumps(kept))
result
"""

CPU: Final = {"fib": _FIB, "loops": _LOOPS, "strings": _STRINGS, "dicts": _DICTS, "json": _JSON}

ANSWERS: Final = {"fib": 610, "loops": 2001, "strings": 200, "dicts": 50, "json": 635}
"""What each of them leaves in ``result``, unless it took no turn."""


def cpu(name: str, turns: int) -> str:
    """Return the program that does the work of ``name`` so many times."""
    return CPU[name].replace("TURNS", str(turns))


def calls(call: str, times: int, size: int) -> str:
    """Return the program that calls the tool with a text of ``size``, ``times`` in a row."""
    return CALLS.format(call=call.format("text"), times=times, size=size)


def gather(call: str, times: int) -> str:
    """Return the program that awaits so many calls at once."""
    return GATHER.format(call=call.removeprefix("await ").format('"x"'), times=times)
