"""Values that cross: each type of the contract, every way, the same on both engines."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Opens, Runs

INDIA = dt.timezone(dt.timedelta(hours=5, minutes=30))

VALUES: dict[str, Any] = {
    "None": None,
    "True": True,
    "False": False,
    "zero": 0,
    "a negative int": -7,
    "the least 64-bit int": -(2**63),
    "the greatest 64-bit int": 2**64 - 1,
    "a huge int": 2**200,
    "a huge negative int": -(2**200),
    "a float": 1.5,
    "negative zero": -0.0,
    "infinity": math.inf,
    "not a number": math.nan,
    "empty text": "",
    "text": "é\x00\n😀",
    "bytes": b"\x00\xff",
    "empty bytes": b"",
    "a list": [1, [2, "x"], []],
    "a tuple": (1, (2,), ()),
    "a dict": {"a": {"b": 1}, "": None},
    "a dict with keys of all kinds": {
        1: "int", 1.5: "float", None: "none", (1, "t"): "tuple", b"b": "bytes", "k": "text",
        dt.date(2020, 1, 2): "date", frozenset({1}): "frozenset",
    },
    "a dict in an order": {"b": 1, "a": 2, "c": 3},
    "a set": {1, 2},
    "an empty set": set(),
    "a frozenset": frozenset({3}),
    "a set of tuples": {(1, 2)},
    "a datetime": dt.datetime(2020, 1, 2, 3, 4, 5, 678901),  # noqa: DTZ001 - naive ones cross too
    "a datetime in UTC": dt.datetime(2020, 1, 2, tzinfo=dt.UTC),
    "a datetime with an offset": dt.datetime(2020, 1, 2, 3, tzinfo=INDIA),
    "the first datetime": dt.datetime.min,  # noqa: DTZ901
    "the last datetime": dt.datetime.max,  # noqa: DTZ901
    "a date": dt.date(2020, 2, 29),
    "a time": dt.time(1, 2, 3, 4),
    "a time with an offset": dt.time(1, 2, tzinfo=INDIA),
    "a timedelta": dt.timedelta(days=-1, seconds=5, microseconds=7),
    "a long timedelta": dt.timedelta(days=999_999_999),
    "a Decimal": Decimal("1.10"),
    "a Decimal of many digits": Decimal("1" * 60 + "e-30"),
    "a Decimal that is no number": Decimal("NaN"),
    "an infinite Decimal": Decimal("-Infinity"),
    "a UUID": UUID("9f5f6e5e-1111-4111-8111-000000000000"),
    "rows": [{"id": n, "tags": {"x", n}, "at": dt.date(2020, 1, n)} for n in range(1, 4)],
    "all in all": [None, {"k": (True, {1.5: [b"x", {Decimal(1)}]})}],
}  # fmt: skip

kept: list[Any] = []


def give(name: str) -> Any:
    return VALUES[name]


def keep(value: Any) -> None:
    kept.append(value)


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    tools = [give, keep]
    with opened(driver, engine=engine, tools=tools) as enclave, enclave.session() as session:
        yield session


def types(value: Any) -> Any:
    """Return the types in a value, at every depth."""
    if isinstance(value, dict):
        return [(types(key), types(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [types(item) for item in value]
    if isinstance(value, set | frozenset):
        return type(value), sorted(str(types(item)) for item in value)
    return type(value)


def assert_same(value: Any, expected: Any) -> None:
    assert types(value) == types(expected)
    if isinstance(expected, float | Decimal):  # NaN is not equal to itself, 0.0 equals -0.0
        assert repr(value) == repr(expected)
    else:
        assert value == expected


@pytest.mark.parametrize("name", VALUES)
def test_a_value_crosses_every_way_unchanged(guest: Runs, name: str) -> None:
    kept.clear()
    value = VALUES[name]
    program = "keep(value)\nkeep(give(name))\n[value, give(name)]"
    result = guest.run(program, inputs={"value": value, "name": name}).unwrap()
    for arrived in (*kept, *result):
        assert_same(arrived, value)


@pytest.mark.parametrize("name", [name for name in VALUES if name != "a UUID"])
def test_the_guest_sees_the_same_type_and_value(guest: Runs, name: str) -> None:
    """A UUID is left out: monty has none, and shows a stand-in."""
    value = VALUES[name]
    seen = guest.run("[type(v).__name__, v == give(name)]", inputs={"v": value, "name": name})
    is_number = not (isinstance(value, float | Decimal) and math.isnan(value))
    assert seen.unwrap() == [type(value).__name__, is_number]


MADE: list[tuple[str, Any]] = [
    ("{'a': [1, (2.5, None)], 'b': {3}}", {"a": [1, (2.5, None)], "b": {3}}),
    ("2 ** 100", 2**100),
    ("'é' * 2", "éé"),
    ("b'a' + b'b'", b"ab"),
    ("frozenset([1, 1])", frozenset({1})),
    ("import datetime\ndatetime.date(2020, 1, 1) + datetime.timedelta(1)", dt.date(2020, 1, 2)),
    ("float('inf')", math.inf),
    ("[n for n in range(3)]", [0, 1, 2]),
    ("10 ** 6000 % 10 ** 5000 == 0", True),
]


@pytest.mark.parametrize(("program", "value"), MADE)
def test_values_the_guest_makes(guest: Runs, program: str, value: Any) -> None:
    assert_same(guest.run(program).unwrap(), value)


def test_an_int_of_many_digits_crosses_whatever_python_prints(guest: Runs) -> None:
    kept.clear()
    assert guest.run("keep(10 ** 6000)\n10 ** 6000").unwrap() == 10**6000
    assert kept == [10**6000]


@pytest.mark.parametrize("engine", ["cpython"])
def test_lone_surrogates_cross_on_cpython(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=[keep])
    kept.clear()
    value = "a\ud800b"
    assert enclave.run("keep(v)\n[v, {v: v}]", inputs={"v": value}).unwrap() == [
        value,
        {value: value},
    ]
    assert kept == [value]


@pytest.mark.parametrize("engine", ["monty"])
@pytest.mark.parametrize("program", ["v", "give_surrogate()"])
def test_lone_surrogates_cannot_enter_monty(open_enclave: Opens, program: str) -> None:
    def give_surrogate() -> str:
        return "\ud800"

    enclave = open_enclave(tools=[give_surrogate])
    with enclave.session() as session:
        error = session.run(program, inputs={"v": "\ud800"}).error
        assert error is not None
        assert "surrogates" in error.message
        assert session.run("1 + 1", inputs={"v": ""}).unwrap() == 2


@pytest.mark.parametrize("engine", ["cpython"])
def test_the_second_of_two_equal_hours_stays_the_second_on_cpython(open_enclave: Opens) -> None:
    """Monty has no fold."""
    value = dt.datetime(2020, 10, 25, 2, 30, fold=1)  # noqa: DTZ001
    assert open_enclave().run("v", inputs={"v": value}).unwrap().fold == 1


def test_a_uuid_is_a_value_the_guest_can_pass_on(guest: Runs) -> None:
    kept.clear()
    value = VALUES["a UUID"]
    program = "keep(v)\nkeep([v, {'id': v}])\n[v.hex, v.int]"
    assert guest.run(program, inputs={"v": value}).unwrap() == [value.hex, value.int]
    assert kept == [value, [value, {"id": value}]]


def test_a_huge_int_breaks_no_log(open_enclave: Opens) -> None:
    """Python writes no int of more than 4,300 digits."""

    def take(number: int) -> None:
        del number

    enclave = open_enclave(tools=[take])
    result = enclave.run("take(10**5000)\n10**5000")
    assert result.unwrap() == 10**5000
    assert "value=<int>" in repr(result)
    assert "arguments=<dict>" in repr(result.audit[0])
    assert "take" in repr(enclave.history)
    assert repr(enclave.run("[1, 2]")).startswith("RunResult(value=[1, 2], error=None, stdout=''")
