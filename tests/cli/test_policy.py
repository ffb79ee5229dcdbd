"""Policy files on the command line: used, checked, begun, and described to editors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from doublevm import Policy, SecurityLevel
from doublevm.host.policy_file.schema import schema

DOUBLEVM = str(Path(sys.executable).parent / "doublevm")

POLICY = """\
security_level = "SECURE"

[limits]
max_tool_calls = 1

[scoring_gate]
block_threshold = 7

[scoring_gate.scorer]
url = "http://localhost:1"
headers = {key = "opensesame"}
"""


def doublevm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([DOUBLEVM, *arguments], capture_output=True, text=True, check=False)


def saved(folder: Path, text: str) -> str:
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def policy(tmp_path: Path) -> str:
    return saved(tmp_path, POLICY)


def test_run_under_a_policy(tmp_path: Path) -> None:
    path = saved(tmp_path, "limits.timeout = 0.3")
    endless = ("run", "-c", "x = 1\nwhile x: pass", "--policy", path)
    done = doublevm(*endless)
    assert done.returncode == 1
    assert "the run took longer than 0.3 s" in done.stdout
    assert "the run took longer than 0.2 s" in doublevm(*endless, "--timeout", "0.2").stdout


def test_an_explicit_level_goes_before_the_policys(tmp_path: Path) -> None:
    path = saved(tmp_path, "security_level = 'STRICT'")
    assert doublevm("run", "-c", "import secrets", "--policy", path).returncode == 1
    done = doublevm("run", "-c", "import secrets", "--policy", path, "--level", "STANDARD")
    assert "VALIDATION_ERROR" not in done.stdout


def test_check_scores_by_the_policys_gate(tmp_path: Path) -> None:
    path = saved(tmp_path, "[scoring_gate]\nblock_threshold = 1\n[guard]\nunknown_names='allow'")
    done = doublevm("check", "-c", "call_tool('a' + input)", "--policy", path, "--input", "input=x")
    assert "is blocked by the scoring gate" in done.stdout
    done = doublevm("check", "-c", "import os", "--policy", path, "--level", "SECURE")
    assert done.returncode == 1


def test_tools_are_shown_with_the_policys_limits(tmp_path: Path) -> None:
    tools = tmp_path / "tools.py"
    tools.write_text(
        "from doublevm import tool\n@tool\ndef f() -> int:\n    'One.'\n    return 1\n"
    )
    path = saved(tmp_path, "limits.max_tool_calls = 4321")
    assert "4321" in doublevm("tools", str(tools), "--policy", path).stdout.replace(",", "")
    assert "4321" not in doublevm("tools", str(tools)).stdout.replace(",", "")


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_wrong_policy_is_wrong_usage(command: str, tmp_path: Path) -> None:
    path = saved(tmp_path, "\nlimits.timeout = 'ten'")
    done = doublevm(command, "-c", "1", "--policy", path)
    assert done.returncode == 2
    assert 'policy.toml:2: limits.timeout must be a number, not "ten"' in " ".join(
        done.stderr.replace("\n", "").split()
    )


def test_what_is_in_effect_is_shown_with_its_line(policy: str) -> None:
    done = doublevm("policy", "check", policy)
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["option", "value", "line"]
    assert ["security_level", '"SECURE"', "1"] in rows
    assert ["limits.max_tool_calls", "1", "4"] in rows
    assert ["limits.max_prints", "500"] in rows
    assert ["double_vm.parent_validation.on_rate_limit", '"deny"'] in rows
    assert ["double_vm.parent_validation.allowed_operation_pattern", "-"] in rows
    assert ["scoring_gate.block_threshold", "7", "7"] in rows
    assert ["scoring_gate.scorer.url", '"http://localhost:1"', "10"] in rows
    assert "opensesame" not in done.stdout


def test_what_is_in_effect_as_json(policy: str) -> None:
    report: dict[str, Any] = json.loads(doublevm("policy", "check", policy, "--json").stdout)
    assert (report["ok"], report["problems"]) == (True, [])
    options = report["options"]
    assert options["security_level"] == "SECURE"
    assert options["limits"]["max_tool_calls"] == 1
    assert options["guard"]["imports"] == "refuse"
    assert options["double_vm"]["parent_validation"]["rapid_enumeration_overrides"] == {}
    assert options["scoring_gate"]["scorer"]["headers"] == "(not shown)"


def test_no_gate_is_shown_as_none(tmp_path: Path) -> None:
    done = doublevm("policy", "check", saved(tmp_path, ""), "--json")
    assert json.loads(done.stdout)["options"]["scoring_gate"] is None


def test_mistakes_are_listed_with_their_lines(tmp_path: Path) -> None:
    path = saved(tmp_path, '[limits]\ntimout = 5\nmemory = "a\\u001b[1m"\n')
    done = doublevm("policy", "check", path)
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{path}:2: [limits] has no option timout; did you mean timeout?")
    assert second == f'{path}:3: limits.memory must be an integer, not "a\\u001b[1m"'
    report = json.loads(doublevm("policy", "check", path, "--json").stdout)
    assert (report["ok"], report["options"]) == (False, {})
    assert [problem["line"] for problem in report["problems"]] == [2, 3]


def test_a_policy_that_is_no_toml(tmp_path: Path) -> None:
    done = doublevm("policy", "check", saved(tmp_path, "\n\nlimits ="))
    assert done.returncode == 1
    assert "policy.toml:3: this is not TOML: Invalid value" in done.stdout


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    done = doublevm("policy", "check", str(tmp_path / "gone.toml"))
    assert done.returncode == 2
    assert "cannot read the policy" in done.stderr


def test_a_policy_is_begun(tmp_path: Path) -> None:
    done = doublevm("policy", "init", "--level", "secure")
    assert done.returncode == 0
    path = saved(tmp_path, done.stdout)
    assert Policy.read(path) == Policy(security_level=SecurityLevel.SECURE)
    assert doublevm("policy", "init", "--level", "high").returncode == 2


def test_the_schema_is_printed() -> None:
    assert json.loads(doublevm("policy", "schema").stdout) == schema()
