"""How a run that failed says so: the code, the type, the message, the line."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest

from doublevm import ConfigError, Deny, EnclaveError, ErrorCode, GuestError, Limits
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Opens, Runs


def fail() -> None:
    raise ValueError("the tool says no")


def double(n: int) -> int:
    return n * 2


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    options = {"engine": engine, "tools": [fail, double], "limits": Limits(max_tool_calls=3)}
    with opened(driver, **options) as enclave, enclave.session() as session:
        yield session


SPENT = (
    "PermissionError: double denied: the run has used up its 3 tool calls [budget/max_tool_calls]"
)

CODES: list[tuple[str, ErrorCode, str, str, int | None]] = [
    # program, code, type, message, line
    (
        "x = 1\nx / 0",
        ErrorCode.EXECUTION_ERROR,
        "ZeroDivisionError",
        "ZeroDivisionError: division by zero",
        2,
    ),
    ("raise ValueError('no')", ErrorCode.EXECUTION_ERROR, "ValueError", "ValueError: no", 1),
    ("raise ValueError", ErrorCode.EXECUTION_ERROR, "ValueError", "ValueError", 1),
    ("raise ValueError('a\\nb')", ErrorCode.EXECUTION_ERROR, "ValueError", "ValueError: a\nb", 1),
    ("\n\n{}['k']", ErrorCode.EXECUTION_ERROR, "KeyError", "KeyError: 'k'", 3),
    (
        "nothing",
        ErrorCode.EXECUTION_ERROR,
        "NameError",
        "NameError: name 'nothing' is not defined",
        1,
    ),
    (
        "def f(): return f()\nf()",
        ErrorCode.EXECUTION_ERROR,
        "RecursionError",
        "RecursionError: maximum recursion depth exceeded",
        1,
    ),
    ("assert False, 'no'", ErrorCode.EXECUTION_ERROR, "AssertionError", "AssertionError: no", 1),
    (
        "raise PermissionError('mine')",
        ErrorCode.EXECUTION_ERROR,
        "PermissionError",
        "PermissionError: mine",
        1,
    ),
    ("raise SystemExit('bye')", ErrorCode.EXECUTION_ERROR, "SystemExit", "SystemExit: bye", 1),
    (
        "raise KeyboardInterrupt",
        ErrorCode.EXECUTION_ERROR,
        "KeyboardInterrupt",
        "KeyboardInterrupt",
        1,
    ),
    ("1\nx = [", ErrorCode.VALIDATION_ERROR, "SyntaxError", "SyntaxError: '[' was never closed", 2),
    ("\nfail()", ErrorCode.TOOL_ERROR, "ValueError", "ValueError: the tool says no", 2),
    (
        "double('x')",
        ErrorCode.OPERATION_DENIED,
        "TypeError",
        "TypeError: double denied: argument 'n' must be int, not str [arguments/type]",
        1,
    ),
    (
        "call_tool('send')",
        ErrorCode.OPERATION_DENIED,
        "PermissionError",
        "PermissionError: send denied: there is no such tool [names/unregistered]",
        1,
    ),
    (
        "for n in range(9):\n    double(n)",
        ErrorCode.MAX_TOOL_CALLS,
        "PermissionError",
        SPENT,
        2,
    ),
]


@pytest.mark.parametrize(("program", "code", "kind", "message", "line"), CODES)
def test_a_failure_has_a_code_a_type_a_message_and_a_line(
    guest: Runs, program: str, code: ErrorCode, kind: str, message: str, line: int | None
) -> None:
    result = guest.run(program)
    error = result.error
    assert error is not None
    assert (error.code, error.type, error.message, error.line) == (code, kind, message, line)
    assert str(error) == f"{code}: {message} (line {line})"
    assert (result.success, result.value) == (False, None)


def test_unwrap_raises_the_error_of_the_result(guest: Runs) -> None:
    result = guest.run("1 / 0")
    with pytest.raises(GuestError) as raised:
        result.unwrap()
    assert raised.value is result.error
    assert guest.run("6").unwrap() == 6


def test_a_denial_names_the_operation_and_the_verdict(guest: Runs) -> None:
    error = guest.run("call_tool('mail:send', {'to': 'x'})").error
    assert error is not None
    assert error.operation == "mail:send"
    assert error.verdict == Deny("names", "unregistered", "there is no such tool")
    assert error.verdict.address == "names/unregistered"
    assert not error.verdict.allowed


def test_the_budgets_denial_names_them_too(guest: Runs) -> None:
    error = guest.run("while True: double(1)").error
    assert error is not None
    assert error.code is ErrorCode.MAX_TOOL_CALLS
    assert (error.operation, error.verdict and error.verdict.address) == (
        "double",
        "budget/max_tool_calls",
    )


def test_other_errors_have_neither(guest: Runs) -> None:
    for program in ("1 / 0", "fail()", "x ="):
        error = guest.run(program).error
        assert error is not None
        assert (error.operation, error.verdict) == (None, None)


@pytest.mark.parametrize(
    "program",
    [
        "try:\n    double('x')\nexcept TypeError as e:\n    raise ValueError('mine') from e",
        "try:\n    call_tool('no')\nexcept PermissionError:\n    pass\nraise ValueError('mine')",
        "try:\n    fail()\nexcept ValueError:\n    raise ValueError('mine')",
    ],
)
def test_an_error_after_a_caught_one_is_the_programs_own(guest: Runs, program: str) -> None:
    error = guest.run(program).error
    assert error is not None
    assert (error.code, error.message) == (ErrorCode.EXECUTION_ERROR, "ValueError: mine")
    assert error.verdict is None


@pytest.mark.parametrize(
    "call", ["double('x')", "call_tool('no')", "fail()"], ids=["type", "name", "tool"]
)
def test_a_caught_error_raised_again_is_still_what_it_was(guest: Runs, call: str) -> None:
    again = guest.run(f"try:\n    {call}\nexcept Exception as e:\n    raise").error
    plain = guest.run(call).error
    assert again is not None
    assert plain is not None
    assert (again.code, again.message) == (plain.code, plain.message)


@pytest.mark.parametrize("engine", ["cpython"])
def test_exceptions_of_the_guests_own_classes(open_enclave: Opens) -> None:
    """Monty has no inheritance, and so no exception classes of the guest's own."""
    enclave = open_enclave()
    program = "class Lost(KeyError):\n    pass\nraise Lost('key')"
    error = enclave.run(program).error
    assert error is not None
    assert (error.type, error.message) == ("Lost", "Lost: 'key'")
    silent = "class Silent(Exception):\n    def __str__(self): raise ValueError\nraise Silent"
    error = enclave.run(silent).error
    assert error is not None
    assert (error.type, error.message) == ("Silent", "Silent: <the exception's __str__ failed>")


def test_errors_survive_copying_and_pickling(guest: Runs) -> None:
    error = guest.run("def f():\n    call_tool('no')\nf()").error
    assert error is not None
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert type(twin) is GuestError
        assert vars(twin) == vars(error)
        assert (str(twin), twin.args) == (str(error), error.args)


def test_results_survive_pickling(guest: Runs) -> None:
    result = guest.run("print('x')\n[double(2), {1}]")
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301


def test_the_tree_of_errors() -> None:
    assert issubclass(ConfigError, EnclaveError)
    assert issubclass(ConfigError, ValueError)
    assert issubclass(GuestError, EnclaveError)
    assert issubclass(EnclaveError, Exception)
    assert [code.value for code in ErrorCode] == [code.name for code in ErrorCode]
