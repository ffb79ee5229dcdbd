"""Values that cannot cross: a clear error that names the path, on whichever way they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ConfigError, ErrorCode
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Opens, Runs

kept: list[Any] = []


def keep(*, value: Any) -> None:
    kept.append(value)


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    with opened(driver, engine=engine, tools=[keep]) as enclave, enclave.session() as session:
        yield session


NESTED = "v = []\nfor i in range({}): v = [v]\n"

MADE: dict[str, tuple[str, str, str]] = {
    # name: (how to make `v`, the path in it, what is wrong there)
    "complex": ("v = 1j", "", "of type complex"),
    "a builtin": ("v = print", "", "of type "),
    "a class": ("v = int", "", "of type type"),
    "inside a list": ("v = [0, [1, int]]", "[1][1]", "of type type"),
    "inside a dict": ("v = {'a': {2: [int]}}", "['a'][2][0]", "of type type"),
    "an exception": ("v = ValueError('x')", "", "of type ValueError"),
    "an instance": ("class A:\n    def __init__(self): self.x = 1\nv = A()", "", "of type "),
    "an ellipsis": ("v = [...]", "[0]", "of type ellipsis"),
    "too deep": (NESTED.format(70), "[0][0][0]", "more than 64 levels"),
    "far too deep": (NESTED.format(400), "[0][0][0]", "more than 64 levels"),
    "too large": ("v = 'x' * 2 ** 20", "", "1,048,576"),
    "too large together": ("v = ['x' * 1024] * 1024", "", "1,048,576"),
}

ONLY_ON_CPYTHON: dict[str, tuple[str, str, str]] = {
    # Monty makes lists or text of these at its own border.
    "a generator": ("v = (n for n in [1])", "", "of type generator"),
    "a range": ("v = range(3)", "", "of type range"),
    "a function": ("def v(): pass", "", "of type function"),
    "a module": ("import math as v", "", "of type module"),
    "a tool": ("v = keep", "", "of type GuestTool"),
    "a cycle": ("v = [1]\nv.append(v)", "[1][1][1]", "contains itself"),
    "a bytearray": ("v = bytearray(b'x')", "", "of type bytearray"),
    "a frozenset's item": ("v = frozenset([int])", "[0]", "of type type"),
}


def check(guest: Runs, case: tuple[str, str, str]) -> None:
    kept.clear()
    make, path, wrong = case
    as_value = guest.run(f"{make}\nv").error
    assert as_value is not None
    assert (as_value.code, as_value.type) == (ErrorCode.EXECUTION_ERROR, "TypeError")
    assert f"the program's value{path}" in as_value.message
    assert wrong in as_value.message

    as_argument = guest.run(f"{make}\nkeep(value=v)").error
    assert as_argument is not None
    assert (as_argument.code, as_argument.type) == (ErrorCode.OPERATION_DENIED, "TypeError")
    assert as_argument.verdict is not None
    assert as_argument.verdict.address == "arguments/values"
    assert wrong in as_argument.message
    assert not kept, "the handler never ran"
    caught = guest.run(f"{make}\ntry:\n    keep(value=v)\nexcept TypeError:\n    r = 1\nr")
    assert caught.unwrap() == 1


@pytest.mark.parametrize("name", MADE)
def test_it_crosses_neither_as_value_nor_as_argument(guest: Runs, name: str) -> None:
    check(guest, MADE[name])


@pytest.fixture(scope="module")
def cpython_guest(driver: Driver) -> Iterator[Runs]:
    with opened(driver, engine="cpython", tools=[keep]) as enclave, enclave.session() as session:
        yield session


@pytest.mark.parametrize("name", ONLY_ON_CPYTHON)
def test_what_monty_turns_into_something_plain(cpython_guest: Runs, name: str) -> None:
    check(cpython_guest, ONLY_ON_CPYTHON[name])


def _cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    return value


REFUSED_INPUTS: dict[str, tuple[Any, str]] = {
    "an object": (object(), "inputs['v'] is of type object"),
    "an object inside": ({"rows": [1, print]}, "inputs['v']['rows'][1] is of type builtin_func"),
    "a cycle": (_cyclic(), "contains itself"),
    "far too deep": (_deep(), "more than 64 levels"),
    "too large": ("x" * 2**20, "1,048,576"),
}


@pytest.mark.parametrize("name", REFUSED_INPUTS)
def test_an_input_that_cannot_cross_is_the_hosts_mistake(open_enclave: Opens, name: str) -> None:
    value, message = REFUSED_INPUTS[name]
    enclave = open_enclave()
    with pytest.raises(ConfigError, match="inputs") as raised:
        enclave.run("1", inputs={"v": value})
    assert message in str(raised.value)
    with pytest.raises(ConfigError, match="inputs"):
        open_enclave(inputs={"v": value})
