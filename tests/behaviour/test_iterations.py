"""A bound on iterations: counted in the guest, over all loops of a run, on the cpython engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from doublevm import ErrorCode, Guard
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driven, Driver

MOST = 20


@pytest.fixture(scope="module")
def enclave(driver: Driver) -> Iterator[Driven]:
    with opened(driver, guard=Guard(max_iterations=MOST)) as opened_enclave:
        yield opened_enclave


WITHIN = {
    "as many as may be": ("n = 0\nfor i in range(20):\n    n += i\nn", 190),
    "while": ("n = 0\nwhile n < 20: n += 1\nn", 20),
    "two loops": ("for i in range(10): pass\nlen([i for i in range(10) if i % 2])", 5),
    "no loop": ("sum(range(1000))", 499500),
    "a top-level return": ("for i in range(30):\n    if i == 7:\n        return i", 7),
    "within functions": ("def f():\n    for i in range(5): yield i\nlist(f())[-1]", 4),
    "an else": ("for i in range(3): pass\nelse: i = 'all'\ni", "all"),
    "async": (
        """
async def g():
    for i in range(3): yield i
async def f():
    n = [i async for i in g()]
    async for i in g(): n.append(i)
    return n
await f()
""",
        [0, 1, 2, 0, 1, 2],
    ),
}

BEYOND = {
    "for": ("x = 1\nfor i in range(21):\n    pass", 2),
    "while": ("while True: pass", 1),
    "a comprehension": ("x = [i for i in range(21)]", 1),
    "comprehensions of all kinds": (
        """
a = [1 for i in range(6)]
b = {i for i in range(6)}
c = {i: 1 for i in range(6)}
d = tuple(1 for i in range(6))
""",
        5,
    ),
    "within one another": ("for i in range(5):\n    for j in range(5):\n        pass", 2),
    "over functions": ("def f():\n    for i in range(7): pass\nf()\nf()\nf()", 2),
    "caught": (
        "def f():\n    while True:\n        pass\ntry:\n    f()\nexcept Exception:\n    pass",
        2,
    ),
    "caught by all means": (
        """
def f():
    while True: pass
try:
    f()
except:
    pass
for i in range(3): print(i)
""",
        8,
    ),
}


@pytest.mark.parametrize("name", WITHIN)
def test_within(enclave: Driven, name: str) -> None:
    program, value = WITHIN[name]
    result = enclave.run(program)
    assert result.value == value, result.error
    assert result.stats.engine == "cpython", "auto takes the engine that counts"


@pytest.mark.parametrize("name", BEYOND)
def test_beyond(enclave: Driven, name: str) -> None:
    program, line = BEYOND[name]
    error = enclave.run(program).error
    assert error is not None
    assert (error.code, error.line, error.type) == (ErrorCode.MAX_ITERATIONS, line, "")
    assert error.message == "the loops of the program ran for more than 20 turns"


def test_each_run_of_a_session_has_its_own_count(enclave: Driven) -> None:
    with enclave.session() as session:
        session.run("def f(n):\n    for i in range(n): pass\n    return n")
        assert [session.run("f(15)").value for _ in range(3)] == [15, 15, 15]
        assert session.run("f(21)").error is not None


def test_a_check_says_why_on_cpython(enclave: Driven) -> None:
    report = enclave.check("1")
    assert (report.engine, report.reasons) == ("cpython", ("line 1: counting iterations",))


def test_without_a_bound_nothing_is_counted(driver: Driver) -> None:
    with opened(driver, engine="cpython") as plain:
        assert plain.run("n = 0\nfor i in range(10**5): n += 1\nn").value == 10**5
        assert plain.run("'__doublevm_count__' in dir()").value is False
