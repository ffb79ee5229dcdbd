"""Run programs that a language model wrote, and let them call your tools, behind two nested VMs.

The public names are here, flat, and loaded on first use: a VM process imports parts of this package
and must not load the host's side with them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from doublevm.audit import AuditRecord
    from doublevm.confinement import Confinement, Rung
    from doublevm.engine import CPython
    from doublevm.errors import (
        ConfigError,
        ConfinementUnavailable,
        EnclaveError,
        EngineUnavailable,
        ErrorCode,
        GuestError,
        PoolRefused,
        ProtocolError,
        VMCrashed,
        VMError,
    )
    from doublevm.guard.findings import Finding
    from doublevm.guard_options import Guard, GuardRule
    from doublevm.history import OperationHistoryEntry
    from doublevm.host.aio import AsyncEnclave, AsyncSession
    from doublevm.host.aiopool import AsyncEnclavePool
    from doublevm.host.enclave import Enclave
    from doublevm.host.policy_file.values import Policy
    from doublevm.host.pool import EnclavePool
    from doublevm.host.pool_values import PoolStats
    from doublevm.host.session import Session
    from doublevm.host.warm import warm_up
    from doublevm.levels import SecurityLevel
    from doublevm.limits import Limits
    from doublevm.policy import DoubleVM, ParentValidation, SuspiciousPattern
    from doublevm.result import CheckReport, RunResult, RunStats
    from doublevm.score import Score, ScoringAnswer, ScoringRequest, Signal
    from doublevm.scoring_options import Analyzer, HttpScorer, ScoringGate
    from doublevm.tools import Tool, tool
    from doublevm.verdict import Allow, Deny, Verdict, WouldDeny

__version__ = "0.1.0"

_HOMES: Final = {
    "Allow": "verdict",
    "Analyzer": "scoring_options",
    "AsyncEnclave": "host.aio",
    "AsyncEnclavePool": "host.aiopool",
    "AsyncSession": "host.aio",
    "AuditRecord": "audit",
    "ConfigError": "errors",
    "CheckReport": "result",
    "Confinement": "confinement",
    "ConfinementUnavailable": "errors",
    "CPython": "engine",
    "Deny": "verdict",
    "DoubleVM": "policy",
    "Enclave": "host.enclave",
    "EnclaveError": "errors",
    "EnclavePool": "host.pool",
    "EngineUnavailable": "errors",
    "ErrorCode": "errors",
    "Finding": "guard.findings",
    "Guard": "guard_options",
    "GuardRule": "guard_options",
    "GuestError": "errors",
    "HttpScorer": "scoring_options",
    "Limits": "limits",
    "OperationHistoryEntry": "history",
    "ParentValidation": "policy",
    "Policy": "host.policy_file.values",
    "PoolRefused": "errors",
    "PoolStats": "host.pool_values",
    "ProtocolError": "errors",
    "Rung": "confinement",
    "RunResult": "result",
    "RunStats": "result",
    "Score": "score",
    "ScoringAnswer": "score",
    "ScoringGate": "scoring_options",
    "ScoringRequest": "score",
    "SecurityLevel": "levels",
    "Session": "host.session",
    "Signal": "score",
    "SuspiciousPattern": "policy",
    "Tool": "tools",
    "tool": "tools",
    "Verdict": "verdict",
    "VMCrashed": "errors",
    "VMError": "errors",
    "warm_up": "host.warm",
    "WouldDeny": "verdict",
}

__all__ = [
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


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
