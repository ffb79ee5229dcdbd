"""``doublevm audit replay``, as a user's shell sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from doublevm.audit import Redact, SqliteSink
from doublevm.verdict import Deny
from tests.audit.making import attempt

DOUBLEVM = str(Path(sys.executable).parent / "doublevm")


def replay(trail: Path, policy: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [DOUBLEVM, "audit", "replay", str(trail), "--policy", str(policy), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    path = tmp_path / "trail.sqlite"
    with SqliteSink(path, redact=Redact(fields=["password"])) as sink:
        sink.write(
            [
                attempt(1, operation="users:list", arguments={"q": "\u202eevil[red]"}),
                attempt(2, operation="users:list", arguments={"password": "x"}),
                attempt(
                    3, operation="mail:send", verdict=Deny("sequence", "EXFIL_LIST_SEND", "data")
                ),
                attempt(4, operation="none", verdict=Deny("names", "unregistered", "no tool")),
                attempt(7, operation="note"),
            ]
        )
    return path


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(
        "[double_vm.parent_validation]\n"
        'disabled_patterns = ["EXFIL_LIST_SEND"]\nblocked_operation_patterns = ["list$"]\n'
    )
    return path


def test_nothing_changes_with_its_own_policy(trail: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("")
    done = replay(trail, own)
    assert done.returncode == 0, done.stderr
    assert "5 operations of 1 conversations: nothing would change." in done.stdout
    assert "── " not in done.stdout


def test_what_changes_is_shown(trail: Path, policy: Path) -> None:
    done = replay(trail, policy)
    assert done.returncode == 1, done.stderr
    assert "2 newly denied, 1 newly allowed." in done.stdout
    assert "newly denied   allowed " in done.stdout
    assert "denied [sequence/EXFIL_LIST_SEND]  allowed" in done.stdout
    assert "── newly denied: allowed → denied [names/blocked]" in done.stdout
    assert "its name is blocked" in done.stdout
    assert "1970-01-01 00:16:41" in done.stdout
    assert "q='\\u202eevil[red]'" in done.stdout
    assert "\u202e" not in done.stdout
    assert (
        "Taken over, as this policy does not decide on them: names/unregistered 1." in done.stdout
    )
    assert "1 could not be judged exactly: parts were redacted." in done.stdout
    assert "2 records are missing; what follows them may differ." in done.stdout
    none = replay(trail, policy, "--examples", "0")
    assert (none.returncode, "── " in none.stdout) == (1, False)


def test_json_is_one_object_for_scripts(trail: Path, policy: Path) -> None:
    done = replay(trail, policy, "--json", "--examples", "1")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert {name: value for name, value in found.items() if name != "changes"} == {
        "operations": 5,
        "conversations": 1,
        "kept": {"names/unregistered": 1},
        "redacted": 1,
        "missing": 2,
        "held": 0,
        "set_back": 0,
        "exact": False,
    }
    (denied, allowed) = found["changes"]
    assert (denied["kind"], denied["count"], len(denied["examples"])) == ("denied", 2, 1)
    assert denied["examples"][0]["before"] == "allow"
    assert denied["examples"][0]["after"]["rule"] == "blocked"
    assert (allowed["before"], allowed["after"]) == ("sequence/EXFIL_LIST_SEND", "allow")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 0),
        ("[limits]\nmax_tool_calls = 4", 1),
        ("[limits]\nmax_tool_calls = 5", 0),
        ('security_level = "STRICT"', 0),
        ('security_level = "STRICT"\n[limits]\nmax_tool_calls = 1', 1),
        ("[double_vm]\nenabled = false", 1),
    ],
)
def test_a_budget_counts_if_the_policy_says_one(
    trail: Path, tmp_path: Path, text: str, status: int
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    done = replay(trail, path)
    assert done.returncode == status, done.stdout


def test_what_would_be_held_back_is_said(tmp_path: Path) -> None:
    trail, policy = tmp_path / "trail.sqlite", tmp_path / "policy.toml"
    with SqliteSink(trail) as sink:
        sink.write([attempt(1), attempt(2, judged=1000.5, time=1e300)])
    policy.write_text(
        "[double_vm.parent_validation]\n"
        'max_operations_per_second = 1\non_rate_limit = "wait"\nenforce = true\n'
        'blocked_operation_patterns = ["none"]'
    )
    done = replay(trail, policy)
    assert done.returncode == 0, done.stderr
    assert "1 would be held back for a while." in done.stdout
    assert "The clock was set back 1 times; what follows may differ." in done.stdout


def test_a_policy_that_is_tried(trail: Path, policy: Path) -> None:
    policy.write_text(policy.read_text() + "enforce = false\n")
    done = replay(trail, policy)
    assert done.returncode == 1
    assert "allowed                            would be denied [names/blocked]" in done.stdout


def test_wrong_usage(trail: Path, policy: Path, tmp_path: Path) -> None:
    done = replay(tmp_path / "none", policy)
    assert (done.returncode, "there is no trail" in done.stderr) == (2, True)
    done = replay(trail, tmp_path / "none.toml")
    assert (done.returncode, "none.toml" in done.stderr) == (2, True)
    policy.write_text("[double_vm]\nenabledd = true")
    done = replay(trail, policy)
    assert (done.returncode, "policy.toml:2" in done.stderr) == (2, True)
    broken = tmp_path / "trail.jsonl"
    broken.write_text("nothing\n")
    policy.write_text("")
    done = replay(broken, policy)
    assert (done.returncode, "line 1: no entry" in done.stderr) == (2, True)
    assert replay(trail, policy, "--examples", "-1").returncode == 2
