"""A policy beside the options of an enclave or a pool: what goes before what."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import (
    AsyncEnclave,
    AsyncEnclavePool,
    ConfigError,
    DoubleVM,
    Enclave,
    EnclavePool,
    Guard,
    Limits,
    ParentValidation,
    Policy,
    ScoringGate,
    SecurityLevel,
    SuspiciousPattern,
    tool,
)
from doublevm.host.options import in_effect

if TYPE_CHECKING:
    from pathlib import Path

    from doublevm.host.settings import Settings

KINDS = [Enclave, AsyncEnclave, EnclavePool, AsyncEnclavePool]

FILE = """\
security_level = "STRICT"
limits.timeout = 3.0
limits.max_prints = 7
double_vm.parent_validation.max_operations_per_second = 5
guard.imports = "warn"
guard.max_nodes = 99
[scoring_gate]
block_threshold = 50
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(FILE)
    return path


def config(kind: type = Enclave, **options: Any) -> Settings:
    settings: Settings = kind(**options)._core.config
    return settings


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "given", [str, lambda path: path, Policy.read], ids=["str", "Path", "Policy"]
)
def test_a_policy_is_in_effect(kind: type, given: Any, file: Path) -> None:
    found = config(kind, policy=given(file))
    level = SecurityLevel.STRICT
    assert found.level is level
    assert found.limits == Limits(timeout=3.0, max_prints=7).over(level.settings.limits)
    assert found.validation is not None
    assert found.validation.max_operations_per_second == 5
    assert found.guard is not None
    assert (found.guard.actions["imports"], found.guard.max_nodes) == ("warn", 99)
    assert found.guard.actions["internals"] == "refuse"
    assert found.scoring_gate == ScoringGate(block_threshold=50)
    assert found.scoring is not None


def test_without_a_policy_all_is_as_before() -> None:
    assert config(policy=None).limits == SecurityLevel.STANDARD.settings.limits
    assert config(policy=Policy()).level is SecurityLevel.STANDARD
    assert config().scoring_gate is None


def test_an_explicit_level_goes_before(file: Path) -> None:
    found = config(policy=file, security_level="SECURE")
    assert found.level is SecurityLevel.SECURE
    assert (found.limits.timeout, found.limits.max_tool_calls) == (3.0, 50)
    assert config(policy=file, security_level=SecurityLevel.STANDARD).level.name == "STANDARD"


def test_explicit_limits_go_before_one_by_one(file: Path) -> None:
    limits = config(policy=file, limits=Limits(max_prints=9, max_denied=1)).limits
    assert (limits.timeout, limits.max_prints, limits.max_denied) == (3.0, 9, 1)


def test_an_explicit_guard_goes_before_one_by_one(file: Path) -> None:
    guard = config(policy=file, guard=Guard(max_nodes=50)).guard
    assert guard is not None
    assert (guard.max_nodes, guard.actions["imports"]) == (50, "warn")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"double_vm": DoubleVM()}, "double_vm is given as an option and in the policy"),
        ({"scoring_gate": ScoringGate()}, "scoring_gate is given as an option and in the policy"),
        ({"guard": None}, "guard=None would run programs unread, and the policy says"),
        ({"policy": 5}, r"policy must be a file's path or Policy\(...\), not 5"),
        ({"policy": Limits()}, r"policy must be a file's path or Policy\(...\), not Limits"),
        ({"policy": "gone.toml"}, "cannot read the policy gone.toml: No such file"),
    ],
)
def test_what_cannot_be_combined(file: Path, options: dict[str, Any], message: str) -> None:
    for kind in KINDS:
        with pytest.raises(ConfigError, match=message):
            kind(**{"policy": file, **options})


def test_what_the_policy_does_not_say_may_be_an_option() -> None:
    policy = Policy(limits=Limits(timeout=1.0))
    gate, double_vm = ScoringGate(block_threshold=1), DoubleVM(parent_timeout_buffer=0.1)
    found = config(policy=policy, guard=None, double_vm=double_vm, scoring_gate=gate)
    assert (found.guard, found.double_vm, found.scoring_gate) == (None, double_vm, gate)


def test_a_function_is_added_in_python(file: Path) -> None:
    def never(operation_name: str, args: Any, history: Any) -> bool:
        return False

    policy = Policy.read(file)
    assert policy.double_vm is not None
    own = SuspiciousPattern(id="OWN", description="mine", detect=never)
    validation = dataclasses.replace(policy.double_vm.parent_validation, suspicious_patterns=(own,))
    double_vm = dataclasses.replace(policy.double_vm, parent_validation=validation)
    found = config(policy=dataclasses.replace(policy, double_vm=double_vm)).validation
    assert found is not None
    assert [pattern.id for pattern in found.suspicious_patterns] == ["OWN"]
    assert found.max_operations_per_second == 5


def test_names_in_a_policy_are_compared_with_the_tools(tmp_path: Path) -> None:
    @tool(name="users:list")
    def users() -> list[str]:
        """Names."""
        return []

    path = tmp_path / "policy.toml"
    path.write_text('double_vm.parent_validation.rapid_enumeration_overrides."users:lst" = 1')
    with pytest.raises(
        ConfigError, match="there is no tool 'users:lst'; did you mean 'users:list'"
    ):
        Enclave(tools=[users], policy=path)


def test_a_warning_names_the_line_that_made_the_enclave() -> None:
    policy = Policy(double_vm=DoubleVM(enabled=False))
    for kind in (Enclave, AsyncEnclave):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            kind(policy=policy)
        assert [warning.filename for warning in caught] == [__file__]


def test_a_program_feels_the_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        "limits.max_tool_calls = 1\ndouble_vm.parent_validation.blocked_operation_patterns = ['^b']"
    )

    @tool
    def a() -> int:
        """One."""
        return 1

    @tool
    def b() -> int:
        """Two."""
        return 2

    with Enclave(tools=[a, b], policy=path) as enclave:
        denied = enclave.run("b()")
        assert denied.error is not None
        assert denied.error.verdict is not None
        assert denied.error.verdict.address == "names/blocked"
        assert enclave.run("a()").value == 1
        too_many = enclave.run("a(); a()")
        assert too_many.error is not None
        assert too_many.error.code == "MAX_TOOL_CALLS"


def test_what_is_in_effect(file: Path) -> None:
    policy = in_effect(Policy.read(file))
    assert policy.limits == Limits(timeout=3.0, max_prints=7).over(
        SecurityLevel.STRICT.settings.limits
    )
    assert policy.guard is not None
    assert (policy.guard.imports, policy.guard.internals) == ("warn", "refuse")
    assert in_effect(policy) == policy
    assert in_effect(Policy()).double_vm == DoubleVM(parent_validation=ParentValidation())
