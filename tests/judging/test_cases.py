"""Every case of the corpus, on both engines and through both drivers.

Cases mostly wait, for processes and for time to pass. So several of them run at once, each in a
thread with an enclave of its own, and a test waits for its case and reports how it ended.
"""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import Deny
from doublevm.audit import verify
from tests.judging.cases import CASES, Case, Run
from tests.judging.driving import DRIVERS, ENGINES, Driven, Engine, Runs, opened
from tests.judging.handlers import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm import AuditRecord, RunResult, Verdict


AT_ONCE = 3


@pytest.fixture(scope="module")
def begun(request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, Engine], Future[None]]]:
    """The cases that were asked for, begun in their order.

    Ones that expect a warning are left out: what is done with warnings is done for all threads.
    """
    asked_for: list[Any] = [
        (item.callspec.params["case"], item.callspec.params["engine"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_case"
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            (case.name, engine): pool.submit(check, case, engine)
            for case, engine in asked_for
            if not case.warning
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(begun: dict[tuple[str, Engine], Future[None]], case: Case, engine: Engine) -> None:
    if case.warning:
        check(case, engine)
    else:
        begun[case.name, engine].result()


class TooSlowError(AssertionError):
    """The machine was too busy for the case to show anything."""


def check(case: Case, engine: Engine) -> None:
    """Run a case; raise if anything is not as it says."""
    for _ in range(case.tries - 1):
        with contextlib.suppress(AssertionError):
            return run_once(case, engine)
    try:
        return run_once(case, engine)
    except TooSlowError as error:
        pytest.skip(str(error))


def run_once(case: Case, engine: Engine) -> None:
    driver = case.driver(engine)
    recorder = Recorder(is_async=driver == "async", raising=case.raising)
    enclave = opened(
        driver,
        engine=engine,
        tools=[recorder.tool(name, case.parameters) for name in case.tools],
        tool_handler=recorder.catch_all if case.catch_all else None,
        **case.options(),
    )
    with contextlib.ExitStack() as stack:
        with pytest.warns(UserWarning, match=case.warning) if case.warning else _nothing():
            opened_enclave = stack.enter_context(enclave)
        _runs_as_expected(case, stack, opened_enclave, recorder)


def _nothing() -> contextlib.AbstractContextManager[object]:
    return contextlib.nullcontext()


def _runs_as_expected(
    case: Case, stack: contextlib.ExitStack, enclave: Driven, recorder: Recorder
) -> None:
    runs: Runs = stack.enter_context(enclave.session()) if case.session else enclave
    audit: list[AuditRecord] = []
    for number, expected in enumerate(case.run, 1):
        time.sleep(expected.pause)
        result = runs.run(expected.program)
        if expected.hurry and result.audit[0].timestamp - audit[-1].timestamp > expected.hurry:
            raise TooSlowError("the machine was too busy for two runs within a second")
        _ends_as_expected(expected, result)
        _is_judged_as_expected(expected, result)
        handled = recorder.take()
        if expected.handled is None:
            handled = [line.split(" ")[0] for line in handled]
        reached = expected.reached
        assert sorted(handled) == sorted(reached)
        assert expected.any_order or handled == reached
        assert {record.run for record in result.audit} <= {number}
        audit += result.audit
    assert enclave.history == tuple(audit)
    assert [record.number for record in audit] == list(range(1, len(audit) + 1))
    assert verify(audit) is None


def _ends_as_expected(expected: Run, result: RunResult) -> None:
    assert (result.error.code.value if result.error else None) == expected.error, result.error
    if expected.value is not None:
        assert result.value == expected.value
    assert expected.at_least <= result.stats.duration <= expected.at_most


def _is_judged_as_expected(expected: Run, result: RunResult) -> None:
    attempts = [(record.operation, _address(record.verdict)) for record in result.audit]
    assert attempts == expected.attempts
    denied = [record for record in result.audit if not record.verdict.allowed]
    assert result.stats.denied == len(denied)
    assert result.stats.tool_calls == len(attempts) - len(denied)
    assert {record.outcome for record in denied} <= {"denied"}
    if expected.reason:
        assert isinstance(denied[-1].verdict, Deny)
        assert expected.reason in denied[-1].verdict.reason
    if result.error is not None and result.error.verdict is not None:
        # A denial that left the program is the last one: nothing was attempted after it.
        assert result.error.verdict == denied[-1].verdict
        assert result.error.operation == denied[-1].operation


def _address(verdict: Verdict) -> str:
    return verdict.address if isinstance(verdict, Deny) else "allowed"


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 70


def test_each_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("engine", ENGINES)
def test_both_drivers_are_covered_on_each_engine(engine: Engine) -> None:
    turns = [case.driver(engine) for case in CASES]
    assert all(turns.count(driver) >= len(CASES) / 4 for driver in DRIVERS)
