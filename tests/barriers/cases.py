"""Tables of cases: every denial with its control and its twin.

A ``Denial`` cannot be written without saying how its barrier is taken away (the control: the same
operations then pass) and what harmless neighbour passes with the barrier on (the twin).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import doublevm.monitor
from doublevm.monitor import Hold, Monitor
from doublevm.policy import ParentValidation
from doublevm.verdict import Deny

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pytest

    from doublevm.operation import ToolSpec

ALLOWED: Final = "allowed"


@dataclass(frozen=True)
class Step:
    """One attempt of the guest, and what is to become of it."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    at: float = 0.0
    expect: str = ALLOWED
    positional: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a monitor is made of."""

    tools: tuple[ToolSpec, ...] = ()
    catch_all: bool = True
    budget: int = 10_000
    options: Mapping[str, Any] = field(default_factory=dict)

    def monitor(self) -> Monitor:
        validation = ParentValidation(**self.options)
        monitor = Monitor(self.tools, validation, catch_all=self.catch_all)
        monitor.begin_run(self.budget)
        return monitor


@dataclass(frozen=True, kw_only=True)
class Denial:
    """The last step is denied; with its barrier taken away it is not, and neither is the twin's."""

    id: str
    steps: Sequence[Step]
    twin: Sequence[Step]
    on: Setting = field(default_factory=Setting)
    off: Mapping[str, Any] | None = None
    """Options that switch the barrier off."""
    without: Mapping[str, Callable[..., Any]] | None = None
    """Where there is no such option: functions to put in the place of the monitor's barriers."""

    def __post_init__(self) -> None:
        assert (self.off is None) != (self.without is None), f"{self.id}: one way to the control"
        assert self.steps[-1].expect != ALLOWED, f"{self.id}: the last step has to be denied"
        assert all(step.expect == ALLOWED for step in self.twin), f"{self.id}: a twin passes"
        assert self.twin, f"{self.id}: no twin"


@dataclass(frozen=True)
class Harmless:
    """Every step passes."""

    id: str
    steps: Sequence[Step]
    on: Setting = field(default_factory=Setting)


def judge(monitor: Monitor, step: Step) -> str:
    """Return ``allowed``, or the address of the denial."""
    attempt = monitor.attempt(step.name, step.positional, step.args)
    verdict = monitor.decide(attempt, step.at)
    assert not isinstance(verdict, Hold)
    if not isinstance(verdict, Deny):
        return ALLOWED
    # Its wording is no contract, but there has to be one.
    assert verdict.reason
    assert isinstance(verdict.reason, str)
    return verdict.address


def answers(setting: Setting, steps: Sequence[Step]) -> list[str]:
    monitor = setting.monitor()
    return [judge(monitor, step) for step in steps]


class Table:
    """Base of a test class that runs a table; ``conftest`` spreads ``denials`` and ``harmless``."""

    denials: Sequence[Denial] = ()
    harmless: Sequence[Harmless] = ()

    def test_denied(self, denial: Denial) -> None:
        assert answers(denial.on, denial.steps) == [step.expect for step in denial.steps]

    def test_control(self, denial: Denial, monkeypatch: pytest.MonkeyPatch) -> None:
        setting = denial.on
        if denial.off is not None:
            setting = replace(setting, **_setting(setting, denial.off))
        for name, replacement in (denial.without or {}).items():
            monkeypatch.setattr(doublevm.monitor, name, replacement)
        assert answers(setting, denial.steps)[-1] == ALLOWED

    def test_twin(self, denial: Denial) -> None:
        assert set(answers(denial.on, denial.twin)) == {ALLOWED}

    def test_harmless(self, case: Harmless) -> None:
        assert set(answers(case.on, case.steps)) == {ALLOWED}


def _setting(setting: Setting, off: Mapping[str, Any]) -> dict[str, Any]:
    """Sort the control's overrides into fields of the setting and options of the policy."""
    fields = {name: value for name, value in off.items() if hasattr(setting, name)}
    options = {name: value for name, value in off.items() if name not in fields}
    return {**fields, "options": {**setting.options, **options}}
