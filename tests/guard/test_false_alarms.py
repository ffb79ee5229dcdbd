"""Few false alarms: of the programs that mean no harm, SECURE refuses next to none."""

from __future__ import annotations

import pytest

from doublevm.levels import SecurityLevel
from tests.guard.asking import around, reading
from tests.guard.harmless_programs import ALL, OVER_TOOLS, Harmless

MOST = 0.02


def refused(program: Harmless, level: SecurityLevel) -> list[str]:
    read = reading(program.source, surroundings=around(*program.tools), level=level)
    return [str(finding) for finding in read.refusing]


def test_secure_refuses_next_to_none(capsys: pytest.CaptureFixture[str]) -> None:
    found = {program.id: refused(program, SecurityLevel.SECURE) for program in ALL}
    alarms = {name: why for name, why in found.items() if why}
    share = len(alarms) / len(ALL)
    with capsys.disabled():
        print(f"\nSECURE refuses {len(alarms)} of {len(ALL)} programs ({share:.1%})")  # noqa: T201
    assert len(ALL) >= 300
    assert share < MOST, alarms


@pytest.mark.parametrize("program", OVER_TOOLS, ids=lambda program: program.id)
def test_secure_refuses_no_program_over_tools(program: Harmless) -> None:
    assert refused(program, SecurityLevel.SECURE) == []


@pytest.mark.parametrize("level", [SecurityLevel.STANDARD, SecurityLevel.PERMISSIVE])
def test_looser_levels_refuse_wrong_syntax_only(level: SecurityLevel) -> None:
    names = [program.id for program in ALL if refused(program, level)]
    assert names == ["errors-syntax_error"]
