"""A run is fresh; a session's runs share a guest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from doublevm import ConfigError, ErrorCode, Limits

if TYPE_CHECKING:
    from tests.behaviour.drivers import Opens


def double(n: int) -> int:
    return n * 2


def test_each_run_has_a_fresh_guest(open_enclave: Opens) -> None:
    enclave = open_enclave()
    assert enclave.run("x = 1\nimport math\nx").unwrap() == 1
    for name in ("x", "math"):
        error = enclave.run(name).error
        assert error is not None
        assert error.type == "NameError"


def test_a_session_keeps_what_its_programs_made(open_enclave: Opens) -> None:
    with open_enclave(tools=[double]).session() as session:
        session.run("import math\nx = [1]\ndef add(n):\n    x.append(double(n))\n    return len(x)")
        assert session.run("add(2)").unwrap() == 2
        assert session.run("add(3)\nx").unwrap() == [1, 4, 6]
        assert session.run("math.floor(2.5)").unwrap() == 2
        session.run("class Point:\n    def __init__(self, x): self.x = x\np = Point(5)")
        assert session.run("p.x + Point(1).x").unwrap() == 6
        assert session.run("y = await double(4)").success
        assert session.run("return y").unwrap() == 8
        assert session.run("async def later(n): return await double(n)").success
        assert session.run("await later(6)").unwrap() == 12


def test_a_session_goes_on_after_an_exception(open_enclave: Opens) -> None:
    with open_enclave(tools=[double]).session() as session:
        session.run("x = 1")
        for program, kind in (
            ("x = 2\n1 / 0", ErrorCode.EXECUTION_ERROR),
            ("y = ", ErrorCode.VALIDATION_ERROR),
            ("double('a')", ErrorCode.OPERATION_DENIED),
            ("int", ErrorCode.EXECUTION_ERROR),
        ):
            error = session.run(program).error
            assert error is not None
            assert error.code is kind
        assert session.run("x").unwrap() == 2


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("while True: pass", ErrorCode.TIMEOUT),
        ("while True: print('x' * 1000)", ErrorCode.OUTPUT_LIMIT_EXCEEDED),
    ],
)
def test_a_stopped_run_ends_the_sessions_guest(
    open_enclave: Opens, program: str, expected: ErrorCode
) -> None:
    enclave = open_enclave(limits=Limits(timeout=1.0, max_output_bytes=10_000))
    with enclave.session() as session:
        session.run("x = 1")
        error = session.run(program).error
        assert error is not None
        assert error.code is expected
        error = session.run("x").error
        assert error is not None
        assert error.type == "NameError", "the next run starts afresh"
        session.run("x = 3")
        assert session.run("x").unwrap() == 3


def test_each_run_of_a_session_has_its_own_limits(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=[double], limits=Limits(max_tool_calls=2, max_prints=2))
    with enclave.session() as session:
        for _ in range(3):
            result = session.run("print('a')\nprint('b')\n[double(1), double(2)]")
            assert result.unwrap() == [2, 4]
            assert (result.stdout, result.stats.tool_calls) == ("a\nb\n", 2)


def test_one_session_after_another(open_enclave: Opens) -> None:
    enclave = open_enclave()
    with enclave.session() as session:
        session.run("x = 1")
    with enclave.session() as session:
        error = session.run("x").error
        assert error is not None
        assert error.type == "NameError"
    assert enclave.run("1 + 1").unwrap() == 2


def test_history_goes_on_over_runs_and_sessions(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=[double])
    enclave.run("double(1)")
    with enclave.session() as session:
        session.run("double(2)")
        result = session.run("double(3)\ncall_tool('nothing')")
    assert [(r.number, r.run, r.operation, r.outcome) for r in enclave.history] == [
        (1, 1, "double", "returned"),
        (2, 2, "double", "returned"),
        (3, 3, "double", "returned"),
        (4, 3, "nothing", "denied"),
    ]
    assert result.audit == enclave.history[2:]
    assert all(record.timestamp > 1_600_000_000 for record in enclave.history)
    assert [record.duration > 0 for record in enclave.history] == [True, True, True, False]


def test_a_session_is_used_alone_and_while_it_is_open(open_enclave: Opens) -> None:
    enclave = open_enclave()
    with enclave.session() as session:
        session.run("x = 1")
        with pytest.raises(ConfigError, match="session is open"):
            enclave.run("x")
        with pytest.raises(ConfigError, match="session is open"), enclave.session():
            pass
        assert session.run("x").unwrap() == 1
    with pytest.raises(ConfigError, match="session is not open"):
        session.run("x")
