"""A policy that is tried, end to end: handlers run, and what it would have denied is on record."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import (
    AsyncEnclave,
    AsyncEnclavePool,
    Deny,
    DoubleVM,
    Enclave,
    EnclavePool,
    Limits,
    ParentValidation,
    SuspiciousPattern,
    WouldDeny,
    tool,
)
from doublevm.audit import AuditRecord, verify
from tests.judging.driving import DRIVERS, ENGINES, Driver, Engine, opened

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = """
users.list()
mail.send()
x.drop()
try:
    call_tool("nobody")
except PermissionError:
    pass
try:
    call_tool("users:list", {"limit": "many"})
except TypeError:
    pass
"reached"
"""


@tool(name="users:list")
def list_users(limit: int = 1) -> list[str]:
    """Names."""
    return ["ada"][:limit]


@tool(name="mail:send")
def send_mail() -> None:
    """Send."""


@tool(name="x:drop")
def drop() -> None:
    """Drop."""


TOOLS = [list_users, send_mail, drop]
TRIED = ParentValidation(enforce=False, blocked_operation_patterns=("^x:",))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.filterwarnings("ignore:ParentValidation.enforce=False")
def test_handlers_run_and_objections_are_on_record(driver: Driver, engine: Engine) -> None:
    double_vm = DoubleVM(parent_validation=TRIED)
    with opened(driver, tools=TOOLS, double_vm=double_vm, engine=engine) as enclave:
        result = enclave.run(PROGRAM)
    assert result.unwrap() == "reached"
    found = [(each.operation, each.outcome, address(each)) for each in result.audit]
    assert found == [
        ("users:list", "returned", ""),
        ("mail:send", "returned", "would sequence/EXFIL_LIST_SEND"),
        ("x:drop", "returned", "would names/blocked"),
        ("nobody", "denied", "names/unregistered"),
        ("users:list", "denied", "arguments/type"),
    ]
    stats = result.stats
    assert (stats.tool_calls, stats.denied, stats.would_deny) == (3, 2, 2)
    assert verify(enclave.history, first=1) is None
    assert [AuditRecord.from_json(each.to_json()) for each in result.audit] == list(result.audit)


def address(record: AuditRecord) -> str:
    verdict = record.verdict
    if isinstance(verdict, WouldDeny):
        return f"would {verdict.address}"
    return verdict.address if isinstance(verdict, Deny) else ""


def sends(name: str, args: Any, history: Any) -> bool:
    return name == "mail:send"


@pytest.mark.parametrize("driver", DRIVERS)
def test_one_pattern_is_tried_while_others_deny(driver: Driver) -> None:
    policy = ParentValidation(
        unenforced_patterns=("EXFIL_LIST_SEND",),
        blocked_operation_patterns=("^x:",),
        suspicious_patterns=(
            SuspiciousPattern(id="SENDS", description="odd", detect=sends, enforce=False),
        ),
    )
    with opened(driver, tools=TOOLS, double_vm=DoubleVM(parent_validation=policy)) as enclave:
        first = enclave.run("mail.send(); users.list(); mail.send(); x.drop()")
    assert [address(each) for each in first.audit] == [
        "would sequence/SENDS",
        "",
        "would sequence/EXFIL_LIST_SEND",
        "names/blocked",
    ]


@pytest.mark.filterwarnings("ignore:ParentValidation.enforce=False")
def test_would_be_denials_do_not_end_a_run() -> None:
    double_vm = DoubleVM(parent_validation=TRIED)
    limits = Limits(max_denied=1)
    with Enclave(tools=TOOLS, double_vm=double_vm, limits=limits) as enclave:
        result = enclave.run("for _ in range(5):\n    x.drop()\n'reached'")
    assert result.unwrap() == "reached"
    assert result.stats.would_deny == 5


def in_a_loop(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(**options: Any) -> Any:
        async def inside() -> Any:
            return make(**options)

        return asyncio.run(inside())

    return made


@pytest.mark.parametrize(
    "make", [Enclave, in_a_loop(AsyncEnclave), EnclavePool, in_a_loop(AsyncEnclavePool)]
)
def test_who_enforces_nothing_is_warned(make: Callable[..., Any]) -> None:
    with pytest.warns(UserWarning, match=r"^ParentValidation\(enforce=False\): what names, rate"):
        make(tools=TOOLS, double_vm=DoubleVM(parent_validation=TRIED))


def test_who_tries_a_pattern_is_not() -> None:
    policy = ParentValidation(unenforced_patterns=("EXFIL_LIST_SEND",))
    with warnings.catch_warnings(record=True) as warned:
        Enclave(tools=TOOLS, double_vm=DoubleVM(parent_validation=policy)).close()
    assert not warned
