"""What each security level says to a machine that lacks mechanisms, from enclave to result.

The machine is a real one of which it is said that something is missing: that is then not used.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ConfinementUnavailable, Enclave, Limits, Rung
from doublevm.confinement import Confinement
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from doublevm import RunResult
    from tests.behaviour.drivers import Driver

NO_LANDLOCK = {"landlock": "no landlock today", "namespaces": "nor these"}
NO_SECCOMP = {"seccomp": "no filter today", **NO_LANDLOCK}
NOTHING = {"limits": "no limit today", **NO_SECCOMP}

NEEDS_CPYTHON = "import heapq\nheapq.nsmallest(1, [2, 1])[0]"


@pytest.fixture(params=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Driver:
    kind: Driver = request.param
    return kind


def lacking(monkeypatch: pytest.MonkeyPatch, missing: dict[str, str]) -> None:
    monkeypatch.setattr("doublevm.host.confinement._missing", missing)


def run(driver: Driver, program: str = "40 + 2", **options: Any) -> RunResult:
    with opened(driver, **options) as enclave:
        return enclave.run(program)


@pytest.mark.parametrize("level", ["STRICT", "SECURE"])
@pytest.mark.parametrize("engine", ["monty", "cpython", "auto"])
def test_tight_levels_refuse_to_go_without_landlock(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, level: str, engine: str
) -> None:
    lacking(monkeypatch, NO_LANDLOCK)
    with pytest.raises(ConfinementUnavailable) as caught:
        run(driver, security_level=level, engine=engine)
    message = str(caught.value)
    assert f"asks for the confinement 'full' at the security level {level}" in message
    assert "gives 'reduced': landlock: no landlock today" in message
    assert "namespaces" not in message  # they are not what it asks for
    assert "`doublevm doctor`" in message


@pytest.mark.parametrize("level", ["STANDARD", "PERMISSIVE"])
@pytest.mark.parametrize("engine", ["monty", "cpython"])
def test_others_run_without_landlock(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, level: str, engine: str
) -> None:
    lacking(monkeypatch, NO_LANDLOCK)
    result = run(driver, security_level=level, engine=engine)
    assert (result.value, result.stats.engine) == (42, engine)
    assert result.confinement == Confinement(NO_LANDLOCK)
    assert result.confinement.rung is Rung.REDUCED


@pytest.mark.parametrize("level", ["STANDARD", "PERMISSIVE"])
def test_cpython_is_refused_without_seccomp(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, level: str
) -> None:
    lacking(monkeypatch, NO_SECCOMP)
    with pytest.raises(ConfinementUnavailable, match="seccomp: no filter today"):
        run(driver, security_level=level, engine="cpython")


def test_monty_runs_without_seccomp_and_warns(
    monkeypatch: pytest.MonkeyPatch, driver: Driver
) -> None:
    lacking(monkeypatch, NO_SECCOMP)
    with pytest.warns(UserWarning, match="by 'minimal' only: seccomp: no filter today"):
        result = run(driver, engine="monty")
    assert result.value == 42
    assert result.confinement is not None
    assert result.confinement.rung is Rung.MINIMAL


def test_it_warns_once_in_an_enclave(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(monkeypatch, NO_SECCOMP)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Enclave(engine="monty", limits=Limits(timeout=0.3)) as enclave:
            enclave.run("while True: pass")  # ends the pair
            enclave.run("1")
    assert len(caught) == 1


def test_auto_refuses_what_needs_cpython_and_says_why(
    monkeypatch: pytest.MonkeyPatch, driver: Driver
) -> None:
    lacking(monkeypatch, NO_SECCOMP)
    with opened(driver) as enclave:
        with pytest.warns(UserWarning, match="minimal"):
            refused = enclave.run(NEEDS_CPYTHON)
        fine = enclave.run("40 + 2")
    assert refused.error is not None
    assert refused.error.code == "UNSUPPORTED"
    assert "module 'heapq' needs the cpython engine" in refused.error.message
    assert "(seccomp: no filter today)" in refused.error.message
    assert fine.value == 42


def test_strict_keeps_auto_from_cpython(driver: Driver) -> None:
    result = run(driver, NEEDS_CPYTHON, security_level="STRICT")
    assert result.error is not None
    assert result.error.code == "UNSUPPORTED"
    assert "which this security level keeps from engine='auto'" in result.error.message


def test_nothing_at_all_is_refused(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    lacking(monkeypatch, NOTHING)
    with pytest.raises(ConfinementUnavailable, match="gives 'none': limits: no limit today"):
        run(driver)


def test_unless_the_level_is_permissive(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    lacking(monkeypatch, NOTHING)
    with pytest.warns(UserWarning, match="by 'none' only: limits: no limit today"):
        result = run(driver, security_level="PERMISSIVE")
    assert result.value == 42
    with pytest.raises(ConfinementUnavailable):
        run(driver, security_level="PERMISSIVE", engine="cpython")


def test_what_confines_is_known_after_the_first_run(
    monkeypatch: pytest.MonkeyPatch, driver: Driver
) -> None:
    lacking(monkeypatch, NO_LANDLOCK)
    with opened(driver) as enclave:
        before = enclave.confinement
        failed = enclave.run("1 / 0")
        refused = enclave.run("this is no Python")
        after = enclave.confinement
    assert before is None
    assert failed.confinement == refused.confinement == after == Confinement(NO_LANDLOCK)


def test_cpython_runs_where_the_monty_worker_is_missing(
    monkeypatch: pytest.MonkeyPatch, driver: Driver
) -> None:
    monkeypatch.setattr("doublevm.host.core.monty_binary", lambda: None)
    assert run(driver, NEEDS_CPYTHON).value == 1
