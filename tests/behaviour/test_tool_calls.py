"""How a guest calls tools: the ways to write a call, and what each is on record as."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import Allow, ErrorCode, tool
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Opens, Runs


def plain(a: int, b: int = 2) -> list[int]:
    return [a, b]


def named_only(*, a: int, b: int = 5) -> list[int]:
    return [a, b]


def by_place(a: int = 1, b: int = 2, /) -> list[int]:
    return [a, b]


def nothing() -> None:
    return None


@tool
def decorated(text: str) -> str:
    """Shout."""
    return text.upper()


async def waits(n: int) -> int:
    await asyncio.sleep(0)
    return n + 1


@tool(name="users:list")
def list_users(team: str, limit: int = 1) -> list[str]:
    return [f"{team}{i}" for i in range(limit)]


@tool(name="users.find")
async def find_user(name: str) -> str:
    return f"<{name}>"


@tool(name="a.b:c")
def nested(x: int) -> int:
    return x * 2


@tool(name="reports/weekly-sum")
def weekly_sum(week: int) -> int:
    return week * 7


TOOLS = [
    plain,
    named_only,
    by_place,
    nothing,
    decorated,
    waits,
    list_users,
    find_user,
    nested,
    weekly_sum,
]

CALLS: list[tuple[str, Any, str, dict[str, Any]]] = [
    ("plain(1)", [1, 2], "plain", {"a": 1}),
    ("plain(1, 3)", [1, 3], "plain", {"a": 1, "b": 3}),
    ("plain(1, b=3)", [1, 3], "plain", {"a": 1, "b": 3}),
    ("plain(b=3, a=1)", [1, 3], "plain", {"a": 1, "b": 3}),
    ("plain(*[1, 3])", [1, 3], "plain", {"a": 1, "b": 3}),
    ("plain(**{'a': 1})", [1, 2], "plain", {"a": 1}),
    ("named_only(a=1)", [1, 5], "named_only", {"a": 1}),
    ("by_place()", [1, 2], "by_place", {}),
    ("by_place(7)", [7, 2], "by_place", {"a": 7}),
    ("by_place(7, 8)", [7, 8], "by_place", {"a": 7, "b": 8}),
    ("call_tool('by_place', {'b': 8})", [1, 8], "by_place", {"b": 8}),
    ("nothing()", None, "nothing", {}),
    ("decorated('a')", "A", "decorated", {"text": "a"}),
    ("waits(1)", 2, "waits", {"n": 1}),
    ("users.list('red')", ["red0"], "users:list", {"team": "red"}),
    ("users.list(limit=2, team='r')", ["r0", "r1"], "users:list", {"team": "r", "limit": 2}),
    ("users.find('eve')", "<eve>", "users.find", {"name": "eve"}),
    ("a.b.c(3)", 6, "a.b:c", {"x": 3}),
    ("call_tool('plain', {'a': 1})", [1, 2], "plain", {"a": 1}),
    ("call_tool('plain', a=1)", [1, 2], "plain", {"a": 1}),
    ("call_tool('plain', {'a': 1}, b=4)", [1, 4], "plain", {"a": 1, "b": 4}),
    ("call_tool('nothing')", None, "nothing", {}),
    ("call_tool('users:list', {'team': 'x'})", ["x0"], "users:list", {"team": "x"}),
    ("call_tool('a.b:c', {'x': 2})", 4, "a.b:c", {"x": 2}),
    ("call_tool('reports/weekly-sum', {'week': 3})", 21, "reports/weekly-sum", {"week": 3}),
    ("f = plain\nf(9)", [9, 2], "plain", {"a": 9}),
    ("f = users.list\nf('y')", ["y0"], "users:list", {"team": "y"}),
    ("u = users\nu.list('z')", ["z0"], "users:list", {"team": "z"}),
    ("n = a.b\nn.c(5)", 10, "a.b:c", {"x": 5}),
    ("c = call_tool\nc('plain', {'a': 3})", [3, 2], "plain", {"a": 3}),
    ("{'p': plain}['p'](4)", [4, 2], "plain", {"a": 4}),
    ("def apply(f, x): return f(x)\napply(decorated, 'b')", "B", "decorated", {"text": "b"}),
    ("(lambda: plain(6))()", [6, 2], "plain", {"a": 6}),
]


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    with opened(driver, engine=engine, tools=TOOLS) as enclave, enclave.session() as session:
        yield session


@pytest.mark.parametrize(("program", "value", "operation", "arguments"), CALLS)
def test_a_call_can_be_written_in_many_ways(
    guest: Runs, program: str, value: Any, operation: str, arguments: dict[str, Any]
) -> None:
    result = guest.run(program)
    assert result.unwrap() == value
    (record,) = result.audit
    assert (record.operation, record.arguments) == (operation, arguments)
    assert (record.verdict, record.outcome) == (Allow(), "returned")
    assert (result.stats.tool_calls, result.stats.denied) == (1, 0)


@pytest.mark.parametrize(
    "call",
    ["call_tool()", "call_tool(5)", "call_tool('plain', [1])", "call_tool('plain', {}, 3)"],
)
def test_call_tool_takes_a_name_and_a_dict(guest: Runs, call: str) -> None:
    result = guest.run(call)
    assert result.error is not None
    assert result.error.code is ErrorCode.EXECUTION_ERROR
    assert result.error.message == (
        "TypeError: call_tool takes an operation's name and a dict of its arguments"
    )
    assert not result.audit, "no operation was attempted"


def test_the_names_of_arguments_are_text(guest: Runs) -> None:
    result = guest.run("call_tool('plain', {1: 2})")
    assert result.error is not None
    assert result.error.message == (
        "TypeError: call_tool takes a dict whose keys are the arguments' names"
    )


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("weekly_sum(1)", "NameError"),
        ("users.nothing()", "AttributeError"),
        ("a.nothing()", "AttributeError"),
        ("lists(1)", "NameError"),
    ],
)
def test_what_is_no_tool_is_no_name(guest: Runs, program: str, kind: str) -> None:
    result = guest.run(program)
    assert result.error is not None
    assert (result.error.code, result.error.type) == (ErrorCode.EXECUTION_ERROR, kind)
    assert not result.audit


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("plan", "names/unregistered"),
        ("users:lists", "names/unregistered"),
        ("users.list", "names/unregistered"),
        ("plain ", "names/grammar"),
        ("", "names/grammar"),
        ("pläin", "names/grammar"),
        ("plain\n", "names/grammar"),
        ("p" * 129, "names/grammar"),
    ],
)
def test_an_unknown_operation_is_denied(guest: Runs, name: str, address: str) -> None:
    result = guest.run("call_tool(name)", inputs={"name": name})
    assert result.error is not None
    assert (result.error.code, result.error.type) == (ErrorCode.OPERATION_DENIED, "PermissionError")
    assert result.error.operation == name
    assert result.error.verdict is not None
    assert result.error.verdict.address == address
    assert (result.stats.tool_calls, result.stats.denied) == (0, 1)


def test_a_tool_stays_a_function_of_the_host() -> None:
    assert decorated("a") == "A"
    assert (decorated.name, decorated.description) == ("decorated", "Shout.")
    assert asyncio.run(find_user("x")) == "<x>"


def test_neither_side_sees_the_other_change_a_value(open_enclave: Opens) -> None:
    rows = [{"n": 1}]

    def read() -> list[dict[str, int]]:
        return rows

    def spoil(given: list[int]) -> int:
        given.append(99)
        return len(given)

    enclave = open_enclave(tools=[read, spoil])
    result = enclave.run(
        "mine = read()\nmine[0]['n'] = 2\nmine.append(3)\nkept = [1]\n[spoil(kept), kept, read()]"
    )
    assert result.unwrap() == [2, [1], [{"n": 1}]]
    assert rows == [{"n": 1}]
