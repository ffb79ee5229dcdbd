"""The policy file to start from says its level and nothing else, and shows what that means."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doublevm import Policy, ScoringGate, SecurityLevel
from doublevm.host.options import in_effect
from doublevm.host.policy_file.kinds import sayable
from doublevm.host.policy_file.spelling import written
from doublevm.host.policy_file.writing import WIDTH, template
from tests.policy.sections import options

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = pytest.mark.parametrize("level", SecurityLevel)


def read(path: Path, text: str) -> Policy:
    path.write_text(text, encoding="utf-8")
    return Policy.read(path)


@LEVELS
def test_it_says_the_level(level: SecurityLevel, tmp_path: Path) -> None:
    assert read(tmp_path / "policy.toml", template(level)) == Policy(security_level=level)


@LEVELS
def test_without_marks_it_says_the_same(level: SecurityLevel, tmp_path: Path) -> None:
    uncommented = re.sub(r"^#(\[|\w+ = .)", r"\1", template(level), flags=re.MULTILINE)
    said = read(tmp_path / "policy.toml", uncommented)
    assert said == dataclasses.replace(
        in_effect(Policy(security_level=level)), scoring_gate=ScoringGate()
    )


@LEVELS
def test_every_option_is_there(level: SecurityLevel) -> None:
    text = template(level)
    for name in options():
        if name.startswith("scoring_gate.scorer."):
            assert name.rpartition(".")[2] in text
        else:
            table, _, option = name.rpartition(".")
            part = text.partition(f"[{table}]\n")[2] if table else text
            assert re.search(rf"^#?(\w+\.)*(\[.*)?{option}\b", part, re.MULTILINE), name


def test_every_line_is_short() -> None:
    lines = template(SecurityLevel.SECURE).splitlines()
    assert max(map(len, lines)) <= WIDTH + 12
    assert all(line == line.rstrip() for line in lines)


def test_a_strict_policy_names_its_modules(tmp_path: Path) -> None:
    assert re.search(r'^#allowed_modules = \[".*"\]$', template(SecurityLevel.STRICT), re.MULTILINE)


@given(
    value=st.recursive(
        st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_values_are_read_as_they_were_written(value: Any) -> None:
    assert tomllib.loads(f"it = {written(value)}") == {"it": value}


def test_there_is_no_word_for_nothing() -> None:
    assert written(None) == ""
    assert "security_level" in sayable(Policy)
