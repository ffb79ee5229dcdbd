"""Types: a program is checked against the tools' declarations before its first call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from doublevm import ErrorCode, Guard, tool
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driven, Driver, Engine

CALLED: list[str] = []


@dataclass
class User:
    name: str
    age: int


@tool
def list_users(team: str, limit: int = 10) -> list[User]:
    CALLED.append(team)
    return [User("ada", 36)][:limit]


@tool(name="mail:send")
async def send(to: str) -> bool:
    CALLED.append(to)
    return True


@pytest.fixture(scope="module")
def enclave(driver: Driver, engine: Engine) -> Iterator[Driven]:
    options = {"engine": engine, "tools": [list_users, send], "guard": Guard(type_check=True)}
    with opened(driver, **options) as opened_enclave:
        yield opened_enclave


PASSES = {
    "list_users('red')[0]['name']": "ada",
    "list_users(team='red', limit=0)": [],
    "await mail.send('ada@example.com')": True,
    "import asyncio\nawait asyncio.gather(list_users('red'), mail.send(to='a'))": [
        [{"name": "ada", "age": 36}],
        True,
    ],
    "call_tool('mail:send', {'to': 'a'})": True,
    "[r['age'] + 1 for r in list_users('red')]": [37],
    "x = 5\nx = 'now a text'\nx": "now a text",
    "person": "grace",
    "import re\nre.search('b', 'abc').group()": "b",
    "import os.path\nos.path.basename('a/b')": "b",
}

FINDS = {
    "list_users('red')\nlist_users(team=5)": (2, 12, "Argument to function `list_users`"),
    "é = 'é'; list_users(é, 'ten')": (1, 24, "Argument to function `list_users`"),
    "list_users(taem='red')": (1, 12, "Argument `taem` does not match"),
    "list_users()": (1, 1, "No argument provided for required parameter `team`"),
    "list_users('a', 1, 2)": (1, 20, "Too many positional arguments"),
    "mail.send(1)": (1, 11, "Argument to bound method `MailTools.send`"),
    "x = 1\nlist_users('red')[0]['nam']": (2, 22, 'Unknown key "nam" for TypedDict `User`'),
    "list_users('red')[0].name": (1, 1, "Object of type `User` has no attribute `name`"),
}


@pytest.mark.parametrize("program", PASSES)
def test_passes(enclave: Driven, program: str) -> None:
    result = enclave.run(program, inputs={"person": "grace"})
    assert result.value == PASSES[program], result.error


@pytest.mark.parametrize("program", FINDS)
def test_finds(enclave: Driven, program: str) -> None:
    CALLED.clear()
    line, column, message = FINDS[program]
    error = enclave.run(program).error
    assert error is not None
    assert error.code is ErrorCode.VALIDATION_ERROR
    (finding, *_) = [each for each in error.findings if message in each.message]
    assert (finding.rule, finding.line, finding.column) == ("type_check", line, column)
    assert not CALLED, "nothing has run"


def test_the_program_is_not_run_to_check_it(enclave: Driven) -> None:
    CALLED.clear()
    assert enclave.check("list_users('red')\nmail.send('x')").passes
    assert not CALLED


def test_with_what_the_guard_finds(enclave: Driven) -> None:
    error = enclave.run("x = 1 \u200b\nlist_users(5)").error
    assert error is not None
    report = enclave.check("getattr(1, 'a' + 'b')\nlist_users(5)")
    assert [finding.rule for finding in report.refusing] == ["type_check"]


def test_in_a_session_of_monty(driver: Driver) -> None:
    options = {"engine": "monty", "tools": [list_users], "guard": Guard(type_check=True)}
    with opened(driver, **options) as enclave, enclave.session() as session:
        assert session.run("rows = list_users('red')\nlen(rows)").value == 1
        assert session.run("rows[0]['name']").value == "ada"
        assert session.run("list_users(1)").error is not None
        assert session.run("rows[0]['age']").value == 36


def test_control_without_it_the_tool_is_asked(driver: Driver) -> None:
    with opened(driver, tools=[list_users]) as enclave:
        assert len(enclave.run("try: list_users(5)\nexcept TypeError: pass").audit) == 1
