"""Known escapes reach nothing where doublevm is the jail's root, nor where the kernel offers less.

``test_escapes`` runs all of them as an ordinary user on the highest rung there is. Here are those
families that the operating system's confinement has the most to do with; DOUBLEVM_ALL_ESCAPES=1
(``make rungs``) takes all.
"""

from __future__ import annotations

import os

import pytest

from doublevm.confinement import Rung
from doublevm.host.confinement import probe_here
from tests.attacks.escape_cases import ENGINES, ESCAPES, Escape
from tests.attacks.escape_reports import Reports
from tests.attacks.outer_jail import available

pytestmark = [
    pytest.mark.skipif(available() is not None, reason=str(available())),
    pytest.mark.timeout(300),  # the first test of a family makes its report, others wait for it
]

ALL = os.environ.get("DOUBLEVM_ALL_ESCAPES") == "1"
TELLING = ("native", "paths", "files", "inner_vm", "sockets", "processes", "frames")
FAMILIES = sorted({escape.family for escape in ESCAPES if ALL or escape.family in TELLING})
HOWS = ("root", "reduced")
JAILS = [(how, engine, family) for how in HOWS for engine in ENGINES for family in FAMILIES]
RUNS = [
    (how, engine, escape)
    for how, engine, family in JAILS
    for escape in ESCAPES
    if escape.family == family and engine in escape.engines
]
FIRST_OWN_UID = 1_900_000_000
"""Uids from here on are those that root's VMs take."""


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    return Reports(tmp_path_factory)


@pytest.mark.parametrize(
    ("how", "engine", "escape"), RUNS, ids=[f"{how}-{vm}-{each.name}" for how, vm, each in RUNS]
)
def test_no_escape_reaches_its_canary(
    reports: Reports, how: str, engine: str, escape: Escape
) -> None:
    report = reports.report(engine, escape.family, how, as_root=how == "root")
    assert escape.name in report, report[""]
    assert report[escape.name]["reached"] == [], report[escape.name]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.skipif(probe_here().rung < Rung.FULL_PLUS, reason="this machine offers less itself")
def test_the_rung_is_the_one_that_is_meant(reports: Reports, engine: str) -> None:
    """The control: what the lesser kernel refuses works without it, also for the jail's root."""
    assert reports.report(engine, "native", "root", as_root=True)["confinement"]["rung"] == "full+"
    lesser = reports.report(engine, "native", "reduced")["confinement"]
    assert lesser["rung"] == "reduced"
    assert sorted(lesser["missing"]) == ["landlock", "namespaces"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.skipif(os.geteuid() != 0, reason="the jail's root has no other uids to give")
def test_no_vm_of_root_is_root(reports: Reports, engine: str) -> None:
    uids = reports.report(engine, "native", "root", as_root=True)["confinement"]["uids"]
    assert len(uids) >= (2 if engine == "cpython" else 1)  # monty's worker has its parent's
    assert min(uids) >= FIRST_OWN_UID
