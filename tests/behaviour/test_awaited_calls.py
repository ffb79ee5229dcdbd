"""Which calls of a program are awaited: source with the places marked by ``»``."""

from __future__ import annotations

import ast

import pytest

from doublevm.awaiting import awaited_calls

MARK = "»"

IMPORT = "import asyncio\n"

CASES: dict[str, str] = {
    # --- nothing is awaited ---
    "no await": "x = f(1)",
    "a program without calls": "1 + 1",
    "gather of somebody else": "await »gather(f(1))",
    "a call before an await": "x = f(1)\nawait »g(2)",
    "an argument of an awaited call": "await »f(g(1))",
    "a name that is something else there": "x = f(1)\nasync def m(x):\n    await x\n",
    "a plain call in an async function": "async def m():\n    x = f(1)\n    return await »g(x)",
    "an attribute": "class A: pass\na = A()\na.x = f(1)\nawait a.x",
    # --- directly ---
    "await": "await »f(1)",
    "await of a method": "await »users.list(1)",
    "await of a nested namespace": "await »a.b.c(1)",
    "assigned": "x = await »f(1)",
    "in a comprehension": "[await »f(i) for i in range(3)]",
    "in an f-string": "f'{await »f(1)}'",
    "in a function": "async def m():\n    return await »f(1)",
    "in a lambda's body": "g = lambda: f(1)\nawait »g()",
    "in a condition": "if await »f(1):\n    pass",
    "either of two": "await (»f(1) if x else »g(2))",
    "or": "await (»f(1) or »g(2))",
    "walrus": "await (x := »f(1))",
    "call_tool": "await »call_tool('a:b', {'n': 1})",
    "after text of several bytes": "'é'; await »f(1)",
    # --- through a name ---
    "a name": "x = »f(1)\nawait x",
    "a name with a type": "x: object = »f(1)\nawait x",
    "two values of one name": "x = »f(1)\nx = »g(2)\nawait x",
    "a name of a name": "x = »f(1)\ny = x\nawait y",
    "a loop's name": "for x in [»f(1), »g(2)]:\n    await x",
    "an item": "xs = [»f(1)]\nawait xs[0]",
    "an item of a dict": "d = {'a': »f(1)}\nawait d['a']",
    "an item that is set": "d = {}\nd['a'] = »f(1)\nawait d['a']",
    "a global in a function": "x = »f(1)\nasync def m():\n    await x",
    "popped": "xs = [»f(1)]\nawait xs.pop()",
    # --- asyncio ---
    "gather": IMPORT + "await asyncio.gather(»f(1), »g(2))",
    "gather of a list": IMPORT + "await asyncio.gather(*[»f(i) for i in xs])",
    "gather of a generator": IMPORT + "await asyncio.gather(*(»f(i) for i in xs))",
    "gather of a set": IMPORT + "await asyncio.gather(*{»f(i) for i in xs})",
    "gather of a list by name": IMPORT + "t = [»f(i) for i in xs]\nawait asyncio.gather(*t)",
    "gather of two lists": IMPORT + "a = [»f(1)]\nb = [»g(2)]\nawait asyncio.gather(*(a + b))",
    "gather that is not awaited": IMPORT + "x = asyncio.gather(»f(1))",
    "append": IMPORT + "t = []\nfor i in xs:\n    t.append(»f(i))\nawait asyncio.gather(*t)",
    "extend": IMPORT + "t = []\nt.extend([»f(1)])\nawait asyncio.gather(*t)",
    "augmented": IMPORT + "t = []\nt += [»f(1)]\nawait asyncio.gather(*t)",
    "a dict's values": IMPORT + "t = {i: »f(i) for i in xs}\nawait asyncio.gather(*t.values())",
    "list of a generator": IMPORT + "t = list(»f(i) for i in xs)\nawait asyncio.gather(*t)",
    "map": IMPORT + "await asyncio.gather(*map(»f, xs))",
    "under another name": "import asyncio as a\nawait a.gather(»f(1))",
    "imported from": "from asyncio import gather as g\nawait g(»f(1))",
    "create_task": IMPORT + "t = asyncio.create_task(»f(1))\nawait t",
    "a task group": IMPORT + "async with asyncio.TaskGroup() as g:\n    g.create_task(»f(1))",
    "wait_for": IMPORT + "await asyncio.wait_for(»f(1), timeout=g(2))",
    "wait_for with seconds": IMPORT + "await asyncio.wait_for(»f(1), g(2))",
    "a timeout's seconds": IMPORT + "async with asyncio.timeout(g(2)):\n    await »f(1)",
    "a task's name": IMPORT + "asyncio.create_task(»f(1), name=g(2))",
    "wait_for under another name": "from asyncio import wait_for as w\nawait w(»f(1), g(2))",
    "as_completed": IMPORT + "for x in asyncio.as_completed([»f(1)]):\n    await x",
    "asyncio.run": IMPORT + "asyncio.run(»f(1))",
    "run_until_complete": IMPORT
    + "loop = asyncio.new_event_loop()\nloop.run_until_complete(»f(1))",
    "shield in gather": IMPORT + "await asyncio.gather(asyncio.shield(»f(1)))",
    # --- through functions of the program's own ---
    "an async function": "async def m():\n    return await »f(1)\nawait »m()",
    "a function that hands it on": "def m(i):\n    return »f(i)\nawait m(1)",
    "a function that collects": (
        IMPORT + "def m():\n    return [»f(i) for i in xs]\nawait asyncio.gather(*m())"
    ),
    "a plain use of such a function": "def m():\n    return f(1)\nm()\nawait »g(2)",
}


def marked(source: str) -> str:
    """Return the source with a mark before each awaited call."""
    lines = [line.encode() for line in source.split("\n")]
    for line, column in sorted(awaited_calls(ast.parse(source)), reverse=True):
        text = lines[line - 1]
        lines[line - 1] = text[:column] + MARK.encode() + text[column:]
    return b"\n".join(lines).decode()


@pytest.mark.parametrize("name", CASES)
def test_the_places_of_awaited_calls(name: str) -> None:
    expected = CASES[name]
    assert marked(expected.replace(MARK, "")) == expected


def test_a_program_of_many_calls_is_read_in_time() -> None:
    """It follows names once each, so that ten times the text is not a hundred times the work."""
    names = "\n".join(f"x{n} = f(x{n - 1})" for n in range(1, 3000))
    assert len(awaited_calls(ast.parse(f"x0 = 1\n{names}\nawait x2999"))) == 1


def test_names_in_a_circle_are_followed_once() -> None:
    assert marked("x = y\ny = x\nx = f(1)\nawait x") == "x = y\ny = x\nx = »f(1)\nawait x"
