"""Every mistake in a policy file is told, with its line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doublevm import ConfigError, Policy, SecurityLevel
from doublevm.host.policy_file.mistakes import mistakes
from doublevm.host.policy_file.reading import examine
from doublevm.host.policy_file.writing import template
from tests.policy.sections import options
from tests.policy.toml_writer import VALUES

if TYPE_CHECKING:
    from pathlib import Path

CASES: dict[str, tuple[str, list[tuple[int, str]]]] = {
    "syntax": ("a = 1\nb =\n", [(2, "this is not TOML: Invalid value")]),
    "syntax at the end": ("a = 1\nb = '", [(2, 'this is not TOML: Expected "\'"')]),
    "a key twice": ("[limits]\ntimeout = 1\ntimeout = 2\n", [(3, "this is not TOML: Cannot over")]),
    "a number of too many digits": (f"a = {'1' * 5000}\n", [(1, "this is not TOML: Exceeds the")]),
    "arrays without end": (f"a = {'[' * 9000}", [(1, "arrays or tables are nested too deeply")]),
    "an unknown option": (
        "\nmax_prints = 1\n",
        [(2, "a policy has no option max_prints; it belongs in [limits]. There are: security_le")],
    ),
    "an unknown option that is at home nowhere": (
        "limits.zzz = 1",
        [(1, "[limits] has no option zzz. There are: timeout, memory, max_tool_calls, max_")],
    ),
    "an option misspelt": (
        "[double_vm.parent_validation]\n\nmax_operations_per_secnd = 1",
        [(3, "[double_vm.parent_validation] has no option max_operations_p")],
    ),
    "an option of the specification's spelling": (
        "[double_vm.parent_validation]\nmaxOperationsPerSecond = 1",
        [(2, "[double_vm.parent_validation] has no option maxOperationsPerSecond; did you mean")],
    ),
    "an unknown table": ("[limit]\n", [(1, "a policy has no option limit; did you mean limits?")]),
    "a name that is shown as what it is": (
        '"a\\u001bb" = 1',
        [(1, 'a policy has no option "a\\u001bb". There are: security_level')],
    ),
    "an unknown level": (
        'security_level = "HIGH"',
        [(1, 'security_level must be "STRICT", "SECURE", "STANDARD" or "PERMISSIVE", not "HIGH"')],
    ),
    "a wrong type": (
        "[limits]\ntimeout = 'ten'",
        [(2, 'limits.timeout must be a number, not "ten"')],
    ),
    "a bool for a number": (
        "limits.max_prints = true",
        [(1, "limits.max_prints must be an integer, not true")],
    ),
    "a float for an integer": (
        "limits.max_prints = 1.0",
        [(1, "limits.max_prints must be an integer, not 1.0")],
    ),
    "a number for a bool": (
        "double_vm.enabled = 1",
        [(1, "double_vm.enabled must be true or false, not 1")],
    ),
    "a date": (
        "limits.timeout = 2020-01-01",
        [(1, "limits.timeout must be a number, not datetim")],
    ),
    "a value for a table": ("limits = 5", [(1, "limits must be a table, not 5")]),
    "a table for a value": (
        "[limits.timeout]\n",
        [(1, "limits.timeout must be a number, not a ta")],
    ),
    "an array of tables for a table": ("[[guard]]\n", [(1, "guard must be a table, not an array")]),
    "a refused value": (
        "[limits]\n\nmemory = 5",
        [(3, "limits.memory must be at least 8388608 bytes (8 MiB), not 5")],
    ),
    "a refused value below two tables": (
        "[double_vm.parent_validation]\nmax_operations_per_second = 0",
        [(2, "double_vm.parent_validation.max_operations_per_second must b")],
    ),
    "no number": ("limits.timeout = nan", [(1, "limits.timeout must be seconds between 0 and")]),
    "a refused item": (
        '[double_vm.parent_validation]\nblocked_operation_patterns = [\n"a",\n"(",\n"b",\n")"]',
        [
            (4, "double_vm.parent_validation.blocked_operation_patterns[1] must be a regular expr"),
            (6, "double_vm.parent_validation.blocked_operation_patterns[3] must be a regular expr"),
        ],
    ),
    "an item of a wrong type": (
        "[guard]\nallowed_modules = [\n'json',\n5]",
        [(4, "guard.allowed_modules[1] must be a string, not 5")],
    ),
    "an unknown pattern": (
        "[double_vm.parent_validation]\ndisabled_patterns = ['BULK_OPERATION',\n'BULK']",
        [(3, "double_vm.parent_validation.disabled_patterns must be ids out of EXFIL_LIST_SEND")],
    ),
    "a refused value of a name": (
        "[double_vm.parent_validation.rapid_enumeration_overrides]\na = 1\n'b:c' = -1",
        [(3, "double_vm.parent_validation.rapid_enumeration_overrides['b:c")],
    ),
    "a name that no tool has": (
        "[double_vm.parent_validation.rapid_enumeration_overrides]\n'a b' = 1",
        [(2, "double_vm.parent_validation.rapid_enumeration_overrides must be a dict with names")],
    ),
    "a function": (
        "[[double_vm.parent_validation.suspicious_patterns]]\nid = 'OWN'",
        [(1, "double_vm.parent_validation.suspicious_patterns is or contai")],
    ),
    "another function": (
        "[scoring_gate]\non_score = 'print'",
        [(2, "scoring_gate.on_score is or contains a function")],
    ),
    "a choice or a table": (
        "[scoring_gate]\nscorer = 'model'",
        [(2, 'scoring_gate.scorer must be "rules" or a table, not "model"')],
    ),
    "what a table needs": (
        "[scoring_gate.scorer]\nretries = 1",
        [(1, "scoring_gate.scorer needs url")],
    ),
    "what a table needs is wrong, and so is something else": (
        "[scoring_gate.scorer]\nretries = -1\nurl = 'ftp://a'",
        [(3, "scoring_gate.scorer.url must be like 'https://…', not 'ftp://a'")],
    ),
    "an option beside what a table needs": (
        "[scoring_gate.scorer]\nretries = -1\nurl = 'https://a'",
        [(2, "scoring_gate.scorer.retries must be an int of 0 to 10, not -1")],
    ),
    "everything at once": (
        "[guard]\nimports = 'refused'\nmax_nodes = 0\n[limits]\ntimeout = 0\nmemory = 'a'\nx = 1",
        [
            (2, 'guard.imports must be "refuse", "warn" or "allow", not "refused"'),
            (3, "guard.max_nodes must be an int of 1 to 500,000, not 0"),
            (5, "limits.timeout must be seconds between 0 and 86400, not 0"),
            (6, 'limits.memory must be an integer, not "a"'),
            (7, "[limits] has no option x."),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake(case: str, tmp_path: Path) -> None:
    text, expected = CASES[case]
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(ConfigError) as raised:
        Policy.read(path)
    told = str(raised.value).split("\n")
    assert len(told) == len(expected), told
    for line, (number, message) in zip(told, expected, strict=True):
        assert line.startswith(f"{path}:{number}: {message}")
    assert [problem.line for problem in examine(path).problems] == [n for n, _ in expected]


@pytest.mark.parametrize("text", ["timeout = 'secret'", "headers = 'secret'", "headers.a = 5"])
def test_a_header_is_not_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f"[scoring_gate.scorer]\nurl = 'https://a'\n{text}")
    (problem,) = examine(path).problems
    assert problem.line == 3
    assert ("not" in problem.message) == text.startswith("timeout")


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f"security_level = {'x' * 9999!r}\nlimits.timeout = {'9' * 4000}\n")
    first, second = (problem.message for problem in examine(path).problems)
    assert first.endswith(f', not "{"x" * 59}…')
    assert len(second) < 120


def test_a_number_that_python_does_not_write(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f"security_level = 0x{'f' * 9000}")
    assert examine(path).problems[0].message.endswith("not <int>")


@dataclass(frozen=True, kw_only=True)
class Range:
    least: int = 0
    most: int = 9

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise ConfigError("range.least must be at most range.most")


@dataclass(frozen=True, kw_only=True)
class Ranges:
    range: Range | None = None


def test_options_that_are_wrong_together_are_told_of_their_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No two options of a policy are, so far."""
    monkeypatch.setattr("doublevm.host.policy_file.reading.Policy", Ranges)
    path = tmp_path / "policy.toml"
    path.write_text("\n[range]\nleast = 5\nmost = 4")
    (problem,) = examine(path).problems
    assert (problem.line, problem.message) == (2, "range.least must be at most range.most")
    path.write_text("[range]\nleast = 4\nmost = 5")
    assert examine(path).policy == Ranges(range=Range(least=4, most=5))  # type: ignore[comparison-overlap]


@settings(deadline=None)
@given(name=st.sampled_from(sorted(options())), value=VALUES)
def test_any_value_is_taken_or_told(name: str, value: object) -> None:
    table: dict[str, object] = {}
    inner = table
    *way, last = name.split(".")
    for part in way:
        inner[part] = inner = {}
    inner[last] = value
    for path, message in mistakes(Policy, table, Policy):
        assert path[0] == name.partition(".")[0]
        assert message


@pytest.fixture(scope="module")
def any_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("policies") / "policy.toml"


BEGUN = template(SecurityLevel.STRICT).replace("\n#", "\n").encode()


@settings(deadline=None)
@given(cut=st.integers(0, len(BEGUN)), length=st.integers(0, 40), instead=st.binary(max_size=4))
def test_whatever_is_in_a_file_it_is_read_or_refused(
    any_file: Path, cut: int, length: int, instead: bytes
) -> None:
    any_file.write_bytes(BEGUN[:cut] + instead + BEGUN[cut + length :])
    examined = examine(any_file)
    assert not examined.problems or examined.policy == Policy()
    assert all(problem.line >= 1 for problem in examined.problems)
