"""Spreads the tables of cases over the tests of a Table."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.barriers.cases")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    from tests.barriers.cases import Table

    if metafunc.cls is None or not issubclass(metafunc.cls, Table):
        return
    for fixture, cases in (("denial", metafunc.cls.denials), ("case", metafunc.cls.harmless)):
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, cases, ids=[case.id for case in cases])
