"""A record names the line of the program that made the call, where the engine gives it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from doublevm import Guard, Limits, tool
from doublevm.audit import verify
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm import RunResult
    from tests.behaviour.drivers import Driver, Engine, Opens, Runs


def fetch(n: int = 0) -> int:
    return n


async def later(n: int) -> int:
    await asyncio.sleep(0)
    return n


@tool(name="users:list")
def list_users(limit: int = 1) -> list[str]:
    return ["ada"] * limit


TOOLS = [fetch, later, list_users]

EVERYWHERE = {
    "one line": ("fetch(1)", [1]),
    "by position, name and namespace": (
        "\nfetch(1)\nfetch(n=2)\nusers.list()\n\ncall_tool('users:list', {})",
        [2, 3, 4, 6],
    ),
    "one that goes over several lines": ("x = 1\nfetch(\n    n=x,\n)\nfetch(3)", [2, 5]),
    "an argument of another": ("fetch(\n  fetch(\n    1\n  )\n)", [2, 1]),
    "in a loop": ("for i in range(2):\n    pass\n    fetch(i)", [3, 3]),
    "in a comprehension": ("a = 1\n[\n    fetch(i)\n    for i in range(2)\n]", [3, 3]),
    "in functions of the program": (
        "def one(n):\n    return fetch(n)\n\ndef two(n):\n    return one(n)\n\ntwo(1)\none(2)",
        [2, 2],
    ),
    "in a lambda": ("get = lambda n: fetch(n)\n\nget(1)", [1]),
    "two on one line": ("fetch(1); fetch(2)", [1, 1]),
    "behind text that is longer as bytes": ("a = 'é\N{GRINNING FACE}'\n# ü\nfetch(1)", [3]),
    "with every end of line": ("a = 1\r\nb = 2\rfetch(1)\n'''\r\n'''; fetch(2)", [3, 5]),
    "one that is denied": ("\n\ntry:\n    fetch('x')\nexcept TypeError:\n    pass", [4]),
    "one that is in no namespace": (
        "try:\n\n    call_tool('users:drop')\nexcept PermissionError:\n    pass",
        [3],
    ),
    "with a return": ("x = fetch(1)\nif x:\n    return fetch(2)\nfetch(3)", [1, 3]),
    "awaited": ("a = 1\nb = await later(2)\nawait fetch(\n    3\n)", [2, 3]),
    "gathered": (
        (
            "import asyncio\nasync def double(n):\n    return 2 * await later(n)\n"
            "await asyncio.gather(\n    later(1),\n    double(2),\n"
            "    *[later(i) for i in range(2)],\n)"
        ),
        [3, 5, 7, 7],
    ),
}

ON_CPYTHON = {
    "called back by what is written in C": (
        "a = [3, 1]\nsorted(a, key=fetch)\nlist(\n    map(fetch, [1]))",
        [2, 2, 3],
    ),
    "called back by the standard library": (
        (
            "import textwrap, re\nx = 1\nre.sub('a', lambda m:\n    str(fetch()), 'ba')\n"
            "from collections import UserDict\nclass Rows(UserDict):\n"
            "    def __missing__(self, key):\n        return fetch(7)\nRows()['a']"
        ),
        [4, 8],
    ),
    "in a method": ("class A:\n    def get(self):\n        return fetch(1)\nA().get()", [3]),
    "in a generator": ("def all():\n    yield fetch(1)\n    yield fetch(2)\nlist(all())", [2, 3]),
    "in code that is executed": ("a = 1\nexec('\\n\\n\\n\\nfetch(1)')\neval('fetch(2)')", [2, 3]),
    "tasks of a loop of its own": (
        (
            "import asyncio\nasync def one(n):\n    return await later(n)\nasync def main():\n"
            "    task = asyncio.create_task(one(1))\n    await later(2)\n    await task\n"
            "asyncio.run(main())"
        ),
        [6, 3],
    ),
    "by no line of the program": (
        (
            "import asyncio, functools\nloop = asyncio.get_running_loop()\n"
            "loop.call_soon(functools.partial(fetch, 1))\nawait asyncio.sleep(0)"
        ),
        [None],
    ),
}


def lines(result: RunResult) -> list[int | None]:
    assert result.success, result.error
    assert verify(result.audit) is None
    return [record.line for record in result.audit]


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    with opened(driver, engine=engine, tools=TOOLS) as enclave, enclave.session() as session:
        yield session


@pytest.mark.parametrize("name", EVERYWHERE)
def test_the_line_that_calls(guest: Runs, name: str) -> None:
    program, expected = EVERYWHERE[name]
    result = guest.run(program)
    found = lines(result)
    assert sorted(map(str, found)) == sorted(map(str, expected))
    if "gather" not in program:
        assert found == expected


@pytest.mark.parametrize("name", ON_CPYTHON)
def test_the_nearest_line_of_the_program(driver: Driver, name: str) -> None:
    program, expected = ON_CPYTHON[name]
    with opened(driver, engine="cpython", tools=TOOLS, guard=None) as enclave:
        assert lines(enclave.run(program)) == expected


def test_a_method_on_a_line_of_its_own(open_enclave: Opens, engine: Engine) -> None:
    found = lines(open_enclave(tools=TOOLS).run("(\n  users\n    .list(\n1))"))
    assert found == [3 if engine == "cpython" else 2]


def test_counted_iterations_change_no_line(driver: Driver) -> None:
    program = "for i in range(2):\n    fetch(i)\n[fetch(i)\n for i in [1]]"
    with opened(driver, engine="cpython", tools=TOOLS, guard=Guard(max_iterations=100)) as enclave:
        assert lines(enclave.run(program)) == [2, 2, 3]


def test_the_lines_of_a_session_are_those_of_the_run(open_enclave: Opens, engine: Engine) -> None:
    """Not of an earlier program, whose function it may be that calls: a record names its run."""
    with open_enclave(tools=TOOLS).session() as session:
        assert lines(session.run("\n\n\ndef one(n):\n    return fetch(n)\n\none(1)")) == [5]
        assert lines(session.run("\nfetch(2)")) == [2]
        assert lines(session.run("")) == []
        found = lines(session.run("a = 1\none(3)\n\nfetch(4)"))
        assert found == ([2, 4] if engine == "cpython" else [None, 4])


def test_a_program_that_is_stopped_has_its_lines(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=TOOLS, limits=Limits(max_denied=2))
    result = enclave.run(
        "while True:\n    try:\n        nothing.here\n    except NameError:\n"
        "        pass\n    try:\n        call_tool('no:such')\n"
        "    except PermissionError:\n        pass"
    )
    assert not result.success
    assert [record.line for record in result.audit] == [7, 7]


def test_what_cannot_cross_has_its_line(open_enclave: Opens) -> None:
    program = "\ntry:\n    fetch(lambda: 1)\nexcept TypeError:\n    pass"
    assert lines(open_enclave(tools=TOOLS).run(program)) == [3]
