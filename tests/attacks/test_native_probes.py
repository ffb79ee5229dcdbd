"""Native code in a sealed VM process gets nowhere, and each lock that stops it is seen to hold.

Every probe is run three times over: with the whole seal in force it is stopped; with any one of the
mechanisms that are said to stop it alone it is stopped as well; with none of them it gets through.
All of it, controls included, runs inside of the outer jail.
"""

from __future__ import annotations

import functools
import os
import platform
from typing import TYPE_CHECKING, Any

import pytest

from doublevm.jail.probe import probe as missing_mechanisms
from tests.attacks.escape_reports import Reports
from tests.attacks.native_cases import ALONE, CONTROLS, FAMILIES, MECHANISMS, PROBES, SEALED
from tests.attacks.outer_jail import available

if TYPE_CHECKING:
    from tests.attacks.escape_reports import Report
    from tests.attacks.native_cases import Probe, Setting

pytestmark = [
    pytest.mark.skipif(available() is not None, reason=str(available())),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers and code are of x86_64"),
    pytest.mark.timeout(300),  # the first test of a setting makes its report, others wait for it
]

ABI_WITH_SCOPES = 6
"""Older versions of Landlock let signals and abstract sockets pass."""

MISTAKES = ("hung", "NameError", "TypeError", "SyntaxError", "AttributeError", "EngineStartError")
"""What a probe says that was stopped by something else than the seal."""

families = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    return Reports(tmp_path_factory, "native_driver")


@functools.cache
def missing() -> dict[str, str]:
    return missing_mechanisms()


def report_of(reports: Reports, setting: Setting) -> Report:
    if setting.identity == "root" and os.geteuid() != 0:
        pytest.skip("only root can be the root of the outer jail")
    lacking = missing().keys() & (MECHANISMS if setting.mechanisms is None else setting.mechanisms)
    if lacking:
        pytest.skip(f"there is no {', '.join(sorted(lacking))} here")
    if setting.mechanisms == ("landlock",):
        from doublevm.jail import landlock

        if landlock.abi() < ABI_WITH_SCOPES:
            pytest.skip("this kernel's Landlock is an older one")
    return reports.report(setting.name, as_root=setting.identity == "root")


def of(family: str) -> list[Probe]:
    return [probe for probe in PROBES if probe.family == family]


def row_of(probe: Probe, report: Report) -> dict[str, Any]:
    assert probe.name in report, report[""]
    return report[probe.name]


def got_through(row: dict[str, Any]) -> bool:
    """Whether it says so, or something has been reached, whatever it says."""
    return bool(row["reached"]) or str(row["said"]).startswith("yes")


def is_mistaken(row: dict[str, Any]) -> bool:
    return any(word in row["said"] for word in MISTAKES)


@families
@pytest.mark.parametrize("setting", SEALED, ids=lambda setting: setting.name)
def test_the_seal_stops_it(reports: Reports, setting: Setting, family: str) -> None:
    report = report_of(reports, setting)
    for probe in of(family):
        if setting.place not in probe.only:
            continue
        row = row_of(probe, report)
        assert not is_mistaken(row), row
        # What may answer does: a list that is too long would hide a finding.
        assert got_through(row) == probe.answers_in(setting), row


@families
@pytest.mark.parametrize("setting", ALONE, ids=lambda setting: setting.name)
def test_each_lock_alone_stops_it(reports: Reports, setting: Setting, family: str) -> None:
    assert setting.mechanisms is not None
    (alone,) = setting.mechanisms
    concerned = [probe for probe in of(family) if probe.stops_alone(alone, setting.place)]
    if not concerned:
        return
    report = report_of(reports, setting)
    for probe in concerned:
        row = row_of(probe, report)
        assert not is_mistaken(row), row
        assert not got_through(row), row


@families
@pytest.mark.parametrize("setting", CONTROLS, ids=lambda setting: setting.name)
def test_its_control_gets_through(reports: Reports, setting: Setting, family: str) -> None:
    report = report_of(reports, setting)
    for probe in of(family):
        if not probe.control and (setting.identity == "root" or not probe.root):
            row = row_of(probe, report)
            assert got_through(row), row


def test_every_probe_says_what_stops_it() -> None:
    assert len(PROBES) >= 350
    assert len({probe.name for probe in PROBES}) == len(PROBES)
    for probe in PROBES:
        assert set(probe.stopped_by) <= set(MECHANISMS), probe.name
        assert set(probe.not_in_parent) <= set(probe.stopped_by), probe.name
        assert bool(probe.reason) == bool(probe.not_in_parent), probe.name
        assert probe.stopped_by or "everywhere" in probe.answers, probe.name
        assert all(probe.answers.values()), probe.name
