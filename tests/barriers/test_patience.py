"""The time that judging may take: the parent VM's own limit, on the monitor's barriers."""

from __future__ import annotations

import gc
import itertools
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from doublevm.monitor import Monitor
from doublevm.parent import patience as module
from doublevm.parent.patience import patience
from doublevm.policy import ParentValidation, SuspiciousPattern
from doublevm.verdict import Allow, Deny, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG, SHORT = 60.0, 0.05


@pytest.fixture(autouse=True)
def _timer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give pytest's own timer back what the tests take from it."""
    handler = signal.getsignal(signal.SIGALRM)
    timer = signal.getitimer(signal.ITIMER_REAL)
    monkeypatch.setattr(module, "DETECT_SECONDS", LONG)
    yield
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) == handler
    signal.setitimer(signal.ITIMER_REAL, *timer)


def verdict(detect: Any) -> Verdict:
    pattern = SuspiciousPattern(id="SLOW", description="odd", detect=detect)
    validation = ParentValidation(suspicious_patterns=(pattern,))
    monitor = Monitor((), validation, catch_all=True, patience=patience)
    monitor.begin_run(1)
    answer = monitor.decide(monitor.attempt("a", (), {}), 0.0)
    assert isinstance(answer, Allow | Deny)
    return answer


def loops(*_: Any) -> bool:
    for _i in itertools.count():
        pass
    return False


def sleeps(*_: Any) -> bool:
    time.sleep(60)
    return False


def catches_exceptions(*_: Any) -> bool:
    while True:
        try:
            loops()
        except Exception:  # noqa: BLE001 - what is tested
            return False


def catches_it_once(*_: Any) -> bool:
    try:
        loops()
    except BaseException:  # noqa: BLE001 - what is tested
        loops()
    return False


@pytest.mark.parametrize("detect", [loops, sleeps, catches_exceptions, catches_it_once])
def test_one_that_never_answers_denies(detect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DETECT_SECONDS", SHORT)
    started = time.monotonic()
    answer = verdict(detect)
    assert isinstance(answer, Deny)
    assert answer.address == "sequence/SLOW"
    assert answer.reason == "its pattern failed (TooSlowError)"
    assert time.monotonic() - started < 30


SLOW_NAME = "a" * 40 + "b"
"""A name for which ``(a+)+$`` takes hours."""


@pytest.mark.parametrize(
    "options",
    [
        {"blocked_operation_patterns": ("(a+)+$",)},
        {"blocked_operation_patterns": ("x", "(a+)+$")},
        {"allowed_operation_pattern": "(a+)+"},
        {"allowed_operation_pattern": "(a+)+", "blocked_operation_patterns": ("x",)},
    ],
)
def test_a_name_pattern_that_never_answers_denies(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DETECT_SECONDS", SHORT)
    monitor = Monitor((), ParentValidation(**options), catch_all=True, patience=patience)
    monitor.begin_run(9)
    answer = monitor.decide(monitor.attempt(SLOW_NAME, (), {"n": 1}), 0.0)
    reason = "comparing its name with the patterns took too long"
    assert answer == Deny("names", "too_slow", reason)
    assert [(entry.name, entry.allowed) for entry in monitor.history] == [(SLOW_NAME, False)]
    # And it goes on judging, names that it is quick with.
    monitor.begin_run(9)
    quick = "aaa" if "allowed_operation_pattern" in options else "b"
    assert monitor.decide(monitor.attempt(quick, (), {}), 0.0) == Allow()


def test_one_that_answers_in_time_is_left_alone() -> None:
    assert verdict(lambda *_: False) == Allow()


def test_each_one_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds in (60.0, 600.0, 6000.0):
        monkeypatch.setattr(module, "DETECT_SECONDS", seconds)
        left, again = cast(
            "tuple[float, float]", patience(lambda: signal.getitimer(signal.ITIMER_REAL))
        )
        assert seconds / 2 < left <= seconds
        assert again == pytest.approx(seconds / 10, rel=0.01)


def fires(*_: Any) -> bool:
    signal.raise_signal(signal.SIGALRM)
    return False


def test_it_interrupts_the_detector() -> None:
    answer = verdict(fires)
    assert isinstance(answer, Deny)
    assert answer.reason == "its pattern failed (TooSlowError)"


def test_it_interrupts_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when it fires while it is being switched off."""

    def fires_first(which: int, *seconds: float) -> None:
        if not any(seconds):
            fired.append(which)
            signal.raise_signal(signal.SIGALRM)
        real(which, *seconds)

    fired: list[int] = []
    real = signal.setitimer
    monkeypatch.setattr(signal, "setitimer", fires_first)
    assert verdict(lambda *_: False) == Allow()
    assert fired == [signal.ITIMER_REAL]


@pytest.fixture
def untraced() -> Iterator[None]:
    """No coverage: it measures with Python code, where the timer would raise with a lock held."""
    trace = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(trace)


@pytest.fixture
def uncollected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave out what only a test process has: callbacks of the collector, interrupted as well.

    What such a one raises, or is interrupted by, Python reports to a hook, and pytest's own hook
    would be interrupted in turn and fail the test.
    """
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("untraced", "uncollected")
def test_nothing_escapes_when_it_fires_just_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def takes(seconds: float) -> Any:
        def detect(*_: Any) -> bool:
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                pass
            return False

        return detect

    monkeypatch.setattr(module, "DETECT_SECONDS", 0.001)
    for i in range(200):
        answer = verdict(takes(0.0009 + i * 0.000001))
        assert isinstance(answer, Allow) or answer.rule == "SLOW"
