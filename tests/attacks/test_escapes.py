"""Known escapes reach nothing from a guest, and what they try does work where nothing confines it.

Nothing hostile runs outside of the outer jail, controls included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.attacks.escape_cases import ENGINES, ESCAPES, TWINS, batch_of
from tests.attacks.escape_reports import Reports
from tests.attacks.outer_jail import available

if TYPE_CHECKING:
    from tests.attacks.escape_cases import Escape, Twin

pytestmark = [
    pytest.mark.skipif(available() is not None, reason=str(available())),
    pytest.mark.timeout(300),  # the first test of a batch makes its report, others wait for it
]

RUNS = [(engine, escape) for engine in ENGINES for escape in ESCAPES if engine in escape.engines]
CONTROLS = [escape for escape in ESCAPES if escape.control]
TWIN_RUNS = [(engine, twin) for engine in ENGINES for twin in TWINS if engine in twin.engines]


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    return Reports(tmp_path_factory)


@pytest.mark.parametrize(
    ("engine", "escape"), RUNS, ids=[f"{engine}-{escape.name}" for engine, escape in RUNS]
)
def test_no_escape_reaches_its_canary(reports: Reports, engine: str, escape: Escape) -> None:
    report = reports.report(engine, batch_of(escape))
    assert escape.name in report, report[""]
    # Any canary, not just its own: it may have got further than it was meant to.
    assert report[escape.name]["reached"] == [], report[escape.name]


@pytest.mark.parametrize("escape", CONTROLS, ids=[escape.name for escape in CONTROLS])
def test_control_reaches_its_canary(reports: Reports, escape: Escape) -> None:
    report = reports.report("control", batch_of(escape))
    assert escape.name in report, report[""]
    assert escape.canary in report[escape.name]["reached"], report[escape.name]


@pytest.mark.parametrize(
    ("engine", "twin"), TWIN_RUNS, ids=[f"{engine}-{twin.id}" for engine, twin in TWIN_RUNS]
)
def test_a_harmless_twin_succeeds(reports: Reports, engine: str, twin: Twin) -> None:
    report = reports.report(engine, "twins")
    assert twin.id in report, report[""]
    assert report[twin.id]["outcome"] == "success"


@pytest.mark.parametrize("engine", ENGINES)
def test_the_guard_was_off(reports: Reports, engine: str) -> None:
    batch = batch_of(next(escape for attempted, escape in RUNS if attempted == engine))
    report = reports.report(engine, batch)
    assert report["confinement"]["guarded"] is False, "it is not the guard that has held"


def test_the_corpus_is_large_and_says_where_it_is_from() -> None:
    assert len(ESCAPES) >= 130
    assert len({escape.name for escape in ESCAPES}) == len(ESCAPES)
    for escape in ESCAPES:
        assert escape.source, escape.name
        # What is left out has a reason.
        assert bool(escape.reason) == (not escape.control or len(escape.engines) < len(ENGINES))
