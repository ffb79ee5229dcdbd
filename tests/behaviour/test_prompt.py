"""What a host puts into its model's prompt: the tools as stubs, and a text on the guest."""

from __future__ import annotations

import ast
import datetime as dt  # noqa: TC003 - the annotations below are read at run time
from dataclasses import dataclass, field
from decimal import Decimal  # noqa: TC003
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict
from uuid import UUID  # noqa: TC003

import pytest
from mypy import api

from doublevm import AsyncEnclave, Enclave, Limits, tool

if TYPE_CHECKING:
    from pathlib import Path


class Colour(Enum):
    RED = "red"
    QUOTED = 'a "b" \\c'


@dataclass
class Point:
    x: int
    y: float = 0.0
    colour: Colour = Colour.RED
    date: dt.date | None = None
    list: list[int] = field(default_factory=lambda: [])  # noqa: PIE807 - `list` is the field


class Filter(TypedDict):
    team: str
    points: NotRequired[list[Point]]


Odd = TypedDict("Odd", {"a-b": int, "class": str})


def other_point() -> type:
    """Return another class of the name."""

    @dataclass
    class Point:
        z: int

    return Point


def plain(team: str, limit: int = 10, *, since: dt.date | None = None) -> list[dict[str, int]]:
    """Expenses of a team, newest first.

    Say \"\"\"what\"\"\" you want, with \\ and "quotes".
    """
    return []


def many(  # noqa: PLR0917
    nothing: None,
    raw: bytes,
    when: dt.datetime,
    clock: dt.time,
    span: dt.timedelta,
    money: Decimal,
    key: UUID,
    untyped: Any,
    pair: tuple[int, str],
    row: tuple[int, ...],
    names: set[str],
    mode: Literal["fast", 1] | None,
    where: Filter,
    odd: Odd,
    points: dict[str, Point],
    others: list[other_point()],  # type: ignore[valid-type]
) -> Colour | bool:
    """End with a backslash \\"""
    return True


@tool(name="users:list")
def list_users(page: int = 0) -> list[str]:
    """Names."""
    return []


@tool(name="users:find")
async def find_users(ids: list[int], day: dt.date) -> list[Point]:
    return []


@tool(name="users.admin:date")
def last_seen(day: dt.date) -> dt.date:
    return day


@tool(name="reports/weekly-sum")
def weekly_sum(week: int, year: int = 2020) -> int:
    """Add up."""
    return week


@tool(name="import")
def keyword_tool() -> None: ...


def returns_a_class() -> object: ...


TOOLS = [
    plain, many, list_users, find_users, last_seen, weekly_sum, keyword_tool, returns_a_class,
]  # fmt: skip


@pytest.fixture(scope="module")
def stubs() -> str:
    return Enclave(tools=TOOLS).tool_stubs()


def check_types(folder: Path, text: str, uses: str = "") -> list[str]:
    """Type-check the stubs, and a program that uses them; return what mypy says."""
    (folder / "tools.pyi").write_text(text)
    (folder / "program.py").write_text(f"from tools import *\n{uses}\n")
    return mypy(folder, folder / "tools.pyi", folder / "program.py")


def mypy(folder: Path, *files: Path) -> list[str]:
    options = ["--strict", "--no-error-summary", "--config-file=", f"--cache-dir={folder}/cache"]
    said, problems, _ = api.run([*options, *map(str, files)])
    return [line for line in (said + problems).splitlines() if "note:" not in line]


def test_the_stubs_parse_and_type_check(stubs: str, tmp_path: Path) -> None:
    ast.parse(stubs)
    uses = (
        "rows = plain('red', since=None)\nrows[0]['amount'] + 1\n"
        "users.list(page=1)[0].upper()\nusers.find([1], users.admin.date(day))[0]['x'] + 1\n"
        "call_tool('reports/weekly-sum', {'week': 1})\n"
    )
    day = "import datetime\nday = datetime.date(1, 1, 1)\n"
    assert check_types(tmp_path, stubs, day + uses) == []


def test_the_stubs_tell_a_wrong_use(stubs: str, tmp_path: Path) -> None:
    """They say something: a wrong program does not type-check."""
    wrong = {
        "plain(1)": "arg-type",
        "plain()": "call-arg",
        "plain('a', 1, None)": "call-arg",
        "users.lists()": "attr-defined",
        "nothing()": "name-defined",
    }
    said = check_types(tmp_path, stubs, "\n".join(wrong))
    assert len(said) == len(wrong)
    for line, code in zip(said, wrong.values(), strict=True):
        assert line.endswith(f"[{code}]")


def test_the_stubs_of_no_tools_type_check(tmp_path: Path) -> None:
    text = Enclave(tool_handler=lambda name, args: None).tool_stubs()
    assert check_types(tmp_path, text, "call_tool('any', {'n': 1})") == []


TYPES = ["list", "dict", "str", "date", "datetime", "Any", "int", "Point", "Literal"]


def test_a_tool_may_be_called_like_a_type(tmp_path: Path) -> None:
    def find(a: list[int], b: dict[str, Any], c: dt.date, d: dt.datetime, e: Point) -> list[str]:
        return []

    files = []
    for number, name in enumerate([*TYPES, *(f"space:{name}" for name in TYPES)]):
        files.append(tmp_path / f"tools_{number}.pyi")
        files[-1].write_text(Enclave(tools=[tool(name=name)(find), find]).tool_stubs())
    assert mypy(tmp_path, *files) == []


EXACT = '''\
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict
from uuid import UUID

class Filter(TypedDict):
    team: str
    points: NotRequired[list[Point]]

class Point(TypedDict):
    x: int
    y: NotRequired[float]
    colour: NotRequired[Literal['red', 'a "b" \\\\c']]
    date: NotRequired[date | None]
    list: NotRequired[list[int]]

def search(where: Filter, limit: int = ..., *, exact: bool = ...) -> Any:
    """Search."""
    ...

def call_tool(name: str, args: dict[str, Any] = ..., /) -> Any: ...

# call_tool("reports/weekly-sum", …) takes (week: int, year: int = ...)
'''


def test_the_stubs_as_the_model_reads_them() -> None:
    def search(where: Filter, limit: int = 1, *, exact: bool = False) -> complex:
        """Search."""
        return 1j

    for kind in (Enclave, AsyncEnclave):
        assert kind(tools=[search, weekly_sum]).tool_stubs() == EXACT


def test_docstrings_are_told(stubs: str) -> None:
    functions = {n.name: n for n in ast.walk(ast.parse(stubs)) if isinstance(n, ast.FunctionDef)}
    told = ast.get_docstring(functions["plain"])
    assert told is not None
    assert told.startswith("Expenses of a team, newest first.")
    assert told.endswith("with \\ and 'quotes'.")
    assert ast.get_docstring(functions["many"]) == "End with a backslash \\"


@pytest.mark.parametrize("kind", [Enclave, AsyncEnclave])
@pytest.mark.parametrize("engine", ["auto", "monty", "cpython"])
def test_the_instructions_tell_tools_and_limits(kind: Any, engine: str) -> None:
    limits = Limits(timeout=7.5, memory=64 * 2**20, max_tool_calls=11, max_output_bytes=1234)
    text = kind(tools=[list_users], limits=limits, engine=engine).instructions()
    for told in ("7.5 seconds", "64 MiB", "11 tool calls", "1234 bytes", "`users.list(...)`",
                 "call_tool(", "await", "PermissionError", "return"):  # fmt: skip
        assert told in text
    assert ("inheritance" in text) == (engine == "monty")


def test_the_instructions_without_tools_that_have_a_path() -> None:
    assert "`call_tool(...)`" in Enclave(tools=[weekly_sum]).instructions()
    assert "30 seconds" in Enclave().instructions(), "the level's limits where none are given"
