"""The public names: pinned, documented, and loaded only when they are used."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import doublevm

NAMES = [
    "Allow",
    "Analyzer",
    "AsyncEnclave",
    "AsyncEnclavePool",
    "AsyncSession",
    "AuditRecord",
    "CPython",
    "CheckReport",
    "ConfigError",
    "Confinement",
    "ConfinementUnavailable",
    "Deny",
    "DoubleVM",
    "Enclave",
    "EnclaveError",
    "EnclavePool",
    "EngineUnavailable",
    "ErrorCode",
    "Finding",
    "Guard",
    "GuardRule",
    "GuestError",
    "HttpScorer",
    "Limits",
    "OperationHistoryEntry",
    "ParentValidation",
    "Policy",
    "PoolRefused",
    "PoolStats",
    "ProtocolError",
    "RunResult",
    "RunStats",
    "Rung",
    "Score",
    "ScoringAnswer",
    "ScoringGate",
    "ScoringRequest",
    "SecurityLevel",
    "Session",
    "Signal",
    "SuspiciousPattern",
    "Tool",
    "VMCrashed",
    "VMError",
    "Verdict",
    "WouldDeny",
    "tool",
    "warm_up",
]


def test_the_public_names_are_these() -> None:
    assert doublevm.__all__ == NAMES
    assert dir(doublevm) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(doublevm, name)
    if name != "Verdict":  # a union of two documented classes
        assert inspect.getdoc(value)
        assert value.__doc__ != object.__doc__
    if inspect.isclass(value):
        for attribute, member in vars(value).items():
            if inspect.isfunction(member) and not attribute.startswith("_"):
                assert member.__doc__, f"{name}.{attribute}"


def test_there_is_no_other_name() -> None:
    with pytest.raises(AttributeError, match="module 'doublevm' has no attribute 'nothing'"):
        doublevm.nothing  # noqa: B018


def test_the_package_alone_loads_nothing_of_the_host() -> None:
    """A VM process imports parts of the package; the host's side must not come with them."""
    program = (
        "import sys, doublevm\n"
        "print(*sorted(name for name in sys.modules if name.startswith('doublevm')))\n"
        "doublevm.Limits\n"
        "print(*sorted(name for name in sys.modules if name.startswith('doublevm')))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.splitlines() == [
        "doublevm",
        "doublevm doublevm.errors doublevm.limits doublevm.shapes",
    ]


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert doublevm.__version__ == version("doublevm")
