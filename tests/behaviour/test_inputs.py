"""Named values that a program starts with: an enclave's, and a run's on top of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.behaviour.drivers import Driven, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Opens


def double(n: int) -> int:
    return n * 2


@pytest.fixture(scope="module")
def enclave(driver: Driver, engine: Engine) -> Iterator[Driven]:
    options: dict[str, Any] = {"tools": [double], "inputs": {"team": "red", "limit": 3}}
    with opened(driver, engine=engine, **options) as one:
        yield one


def test_every_run_starts_with_the_enclaves_inputs(enclave: Driven) -> None:
    assert enclave.run("[team, limit]").unwrap() == ["red", 3]


def test_a_runs_inputs_go_on_top(enclave: Driven) -> None:
    inputs = {"limit": 5, "rows": [{"n": 1}]}
    assert enclave.run("[team, limit, rows]", inputs=inputs).unwrap() == ["red", 5, [{"n": 1}]]
    assert enclave.run("limit").unwrap() == 3, "of that run only"


def test_a_guest_may_do_with_them_what_it_likes(enclave: Driven) -> None:
    rows = [1, 2]
    program = "def add(n):\n    rows.append(double(n))\nadd(3)\nlimit = 0\n[rows, limit]"
    assert enclave.run(program, inputs={"rows": rows}).unwrap() == [[1, 2, 6], 0]
    assert rows == [1, 2], "the host's own is another"
    assert enclave.run("limit").unwrap() == 3


def test_any_variables_name_will_do(enclave: Driven) -> None:
    names = ["x", "_x", "größe", "X9", "list_", "print"]
    inputs = {name: n for n, name in enumerate(names)}
    assert enclave.run(f"[{', '.join(names)}]", inputs=inputs).unwrap() == [0, 1, 2, 3, 4, 5]


def test_a_session_keeps_inputs_as_variables(open_enclave: Opens) -> None:
    with open_enclave(inputs={"base": 1}).session() as session:
        assert session.run("base + extra", inputs={"extra": 2}).unwrap() == 3
        session.run("extra = 10\nbase = 5")
        assert session.run("extra").unwrap() == 10
        assert session.run("base").unwrap() == 1, "the enclave's inputs are given to every run"


def test_inputs_are_those_of_construction(open_enclave: Opens) -> None:
    given = {"x": 1}
    enclave = open_enclave(inputs=given)
    given["x"] = 2
    assert enclave.run("x").unwrap() == 1


@pytest.mark.parametrize("engine", ["monty"])  # nothing of it depends on the engine
def test_a_run_reads_its_inputs_before_it_starts(open_enclave: Opens) -> None:
    """A handler that changes the host's value in the middle of a run changes nothing there."""
    rows = [1]
    changed = threading.Event()

    def change() -> None:
        rows.append(2)
        changed.set()

    enclave = open_enclave(tools=[change])
    assert enclave.run("change()\nrows", inputs={"rows": rows}).unwrap() == [1]
    assert changed.is_set()
