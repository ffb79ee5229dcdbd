"""What a policy file may be, and what is said where it cannot be read."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from doublevm import (
    ConfigError,
    DoubleVM,
    Guard,
    HttpScorer,
    Limits,
    ParentValidation,
    Policy,
    ScoringGate,
    SecurityLevel,
)
from doublevm.host.policy_file.text import MOST_BYTES

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = """\
security_level = "SECURE"

[limits]
timeout = 5
memory = 67108864

[double_vm]
parent_timeout_buffer = 0.5
parent_validation.allowed_operation_pattern = "users:.*"

[double_vm.parent_validation.rapid_enumeration_overrides]
"users:list" = 20

[guard]
imports = "warn"
allowed_modules = ["json", "math"]

[scoring_gate]
block_threshold = 60
scorer = {url = "https://scores.example", headers = {Key = "k"}}
"""
AS_VALUES = Policy(
    security_level=SecurityLevel.SECURE,
    limits=Limits(timeout=5, memory=64 * 2**20),
    double_vm=DoubleVM(
        parent_timeout_buffer=0.5,
        parent_validation=ParentValidation(
            allowed_operation_pattern="users:.*", rapid_enumeration_overrides={"users:list": 20}
        ),
    ),
    guard=Guard(imports="warn", allowed_modules=("json", "math")),
    scoring_gate=ScoringGate(
        block_threshold=60, scorer=HttpScorer(url="https://scores.example", headers={"Key": "k"})
    ),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


def read(path: Path, content: str | bytes) -> Policy:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Policy.read(path)


def test_a_file_is_what_python_would_say(path: Path) -> None:
    assert read(path, EVERYTHING) == AS_VALUES
    assert Policy.read(str(path)) == AS_VALUES


def test_lines_may_end_as_on_windows_and_begin_with_a_mark(path: Path) -> None:
    windows = EVERYTHING.replace("\n", "\r\n").encode("utf-8-sig")
    assert read(path, windows) == AS_VALUES
    with pytest.raises(ConfigError, match=r"policy\.toml:3: limits\.timeout"):
        read(path, b"\xef\xbb\xbf[limits]\r\n\r\ntimeout = 0\r\n")


@pytest.mark.parametrize("text", ["", "# nothing\n", "[limits]\n[double_vm.parent_validation]\n"])
def test_what_says_nothing(path: Path, text: str) -> None:
    assert read(path, text) == Policy()


def test_an_empty_guard_says_nothing_and_an_empty_gate_is_one(path: Path) -> None:
    assert read(path, "[guard]\n[scoring_gate]\n") == Policy(scoring_gate=ScoringGate())


def test_a_missing_file(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the policy .*policy\.toml: No such file"):
        Policy.read(path)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the policy .*: Is a directory"):
        Policy.read(tmp_path)


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_that_no_file_has(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot read the policy"):
        Policy.read(name)


def test_a_file_that_may_not_be_read(path: Path) -> None:
    """Root may read every file, but it cannot follow a link that leads to itself."""
    path.symlink_to(path)
    with pytest.raises(ConfigError, match=r"cannot read the policy .*: Too many levels"):
        Policy.read(path)


def test_a_file_that_is_too_large(path: Path) -> None:
    assert read(path, "#" * MOST_BYTES) == Policy()
    with pytest.raises(ConfigError, match=r"is too large: 1,048,576 bytes are read at most"):
        read(path, "#" * (MOST_BYTES + 1))


def test_a_file_without_end() -> None:
    with pytest.raises(ConfigError, match="is too large"):
        Policy.read("/dev/zero")


def test_a_file_that_is_not_utf_8(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"policy\.toml:2: this is not UTF-8: invalid start byte"):
        read(path, b"# \xc3\xa9\n# \xff\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limits": {"timeout": 5}}, r"policy: limits must be Limits\(...\) or None, not {"),
        ({"guard": False}, r"policy: guard must be Guard\(...\) or None, not False"),
        ({"double_vm": ParentValidation()}, r"policy: double_vm must be DoubleVM\(...\) or None"),
        ({"scoring_gate": "rules"}, r"policy: scoring_gate must be ScoringGate\(...\) or None"),
        ({"security_level": "HIGH"}, "security_level must be one of STRICT, SECURE"),
    ],
)
def test_a_policy_of_wrong_values(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Policy(**options)  # type: ignore[arg-type]


def test_a_level_by_its_name() -> None:
    assert Policy(security_level="STRICT").security_level is SecurityLevel.STRICT  # type: ignore[arg-type]


def test_enclaves_without_a_file_do_not_load_what_reads_one() -> None:
    program = (
        "import sys, doublevm\n"
        "doublevm.Enclave(policy=doublevm.Policy())\n"
        "print(*(name for name in sys.modules if name.startswith('doublevm.host.policy_file.')))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "doublevm.host.policy_file.values\n"
