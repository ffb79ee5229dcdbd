"""What real VMs have judged is judged the same once more: every verdict, with its reason."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import (
    Deny,
    DoubleVM,
    EnclaveError,
    Limits,
    ParentValidation,
    SuspiciousPattern,
    WouldDeny,
    tool,
)
from doublevm.audit import JsonlSink, SqliteSink, read_trail, replay, verify_trail
from doublevm.host.sinks.rejudging import rejudged
from tests.judging.driving import DRIVERS, ENGINES, Driver, Engine, opened
from tests.pool.drivers import opened_pool
from tests.support.procfs import parent_vms

if TYPE_CHECKING:
    from pathlib import Path


def sevens(name: str, args: Any, history: Any) -> bool:
    """Depend on the history too."""
    return name == "notes:add" and args.get("n") == 7 and len(history) > 2


OWN = SuspiciousPattern(id="SEVENS", description="seven", detect=sevens)
POLICIES = {
    "denying": ParentValidation(
        blocked_operation_patterns=("^x:",),
        allowed_operation_pattern=r"\w+:\w+",
        max_operations_per_second=9,
        rapid_enumeration_overrides={"notes:add": 30},
        suspicious_patterns=(OWN,),
    ),
    "waiting": ParentValidation(
        blocked_operation_patterns=("^x:",),
        max_operations_per_second=9,
        on_rate_limit="wait",
        rapid_enumeration_threshold=4,
        suspicious_patterns=(OWN,),
    ),
    "trying": ParentValidation(
        enforce=False,
        blocked_operation_patterns=("^x:",),
        max_operations_per_second=9,
        suspicious_patterns=(OWN,),
    ),
}

PROGRAM = """
def attempt(name, args):
    try:
        call_tool(name, args)
    except Exception:
        pass
attempt('users:list', {'limit': 10})
attempt('users:list', {'limit': 5000})
attempt('users:list', {'limit': 'x'})
attempt('mail:send', {})
attempt('files:delete', {})
attempt('x:drop', {})
attempt('plain', {})
attempt('none', {})
attempt('no name', {})
for n in range(14):
    attempt('notes:add', {'n': n})
"""
LAST = "call_tool('vm:kill', {})"
BUDGET = 20


class Host:
    """Tools, one of which kills the pair that called it."""

    def __init__(self) -> None:
        self.pairs: Any = None

    def tools(self) -> list[Any]:
        return [
            tool(name="users:list")(self.users),
            tool(name="mail:send")(lambda: None),
            tool(name="files:delete")(lambda: None),
            tool(name="x:drop")(lambda: None),
            tool(name="plain")(lambda: None),
            tool(name="notes:add")(self.add),
            tool(name="vm:kill")(self.kill),
        ]

    def users(self, limit: int = 1) -> list[str]:
        return ["ada"][:limit]

    def add(self, n: int) -> None:
        """Keep it."""

    def kill(self) -> None:
        for pid in self.pairs():
            os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def attempted(run: Any) -> None:
    """Run twice, lose the pair, and run again: the next pair is told what happened."""
    run(PROGRAM)
    run("call_tool('users:list', {})")
    with pytest.raises(EnclaveError):
        run(LAST).unwrap()
    run(PROGRAM)


def check(path: Path, policy: ParentValidation) -> set[str]:
    """Replay it with its own policy; return the addresses of what was objected."""
    double_vm = DoubleVM(parent_validation=policy)
    assert verify_trail(path).ok
    seen = set()
    for budget in (None, BUDGET):
        found = list(rejudged(read_trail(path), double_vm, budget))
        for each in found:
            assert each.after == each.before, each
            assert (each.held, each.missing, each.set_back) == (False, 0, False)
            if isinstance(each.before, Deny | WouldDeny):
                seen.add(each.before.address)
        whole = replay(path, double_vm, max_tool_calls=budget)
        assert (whole.changes, whole.exact, whole.operations) == ((), True, len(found))
    return seen


EXPECTED = {
    "denying": {
        "names/blocked",
        "names/not_allowed",
        "rate/max_operations_per_second",
        "sequence/BULK_OPERATION",
        "sequence/EXFIL_LIST_SEND",
        "sequence/SEVENS",
    },
    "waiting": {
        "names/blocked",
        "names/unregistered",
        "sequence/RAPID_ENUMERATION",
        "sequence/EXFIL_LIST_SEND",
    },
    "trying": {
        "names/blocked",
        "names/unregistered",
        "rate/max_operations_per_second",
        "sequence/BULK_OPERATION",
        "sequence/EXFIL_LIST_SEND",
    },
}
ALWAYS = {
    "arguments/type",
    "names/grammar",
    "budget/max_tool_calls",
    "sequence/DELETE_AFTER_ACCESS",
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.filterwarnings("ignore:ParentValidation.enforce=False")
def test_an_enclaves(driver: Driver, engine: Engine, policy: str, tmp_path: Path) -> None:
    host, path = Host(), tmp_path / "trail.sqlite"
    options = {
        "tools": host.tools(),
        "engine": engine,
        "double_vm": DoubleVM(parent_validation=POLICIES[policy]),
        "limits": Limits(max_tool_calls=BUDGET),
    }
    with SqliteSink(path) as sink, opened(driver, audit=sink, **options) as enclave:
        host.pairs = lambda: [enclave.parent_pid]
        attempted(enclave.run)
    assert check(path, POLICIES[policy]) >= EXPECTED[policy] | ALWAYS


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_pools(driver: Driver, tmp_path: Path) -> None:
    """Conversations take turns on one pair, which forgets each; one loses it for all."""
    host, path = Host(), tmp_path / "trail.jsonl"
    host.pairs = lambda: [process.pid for process in parent_vms()]
    double_vm = DoubleVM(parent_validation=POLICIES["denying"])
    options = {"tools": host.tools(), "limits": Limits(max_tool_calls=BUDGET), "max_workers": 1}
    with (
        JsonlSink(path) as sink,
        opened_pool(driver, audit=sink, double_vm=double_vm, **options) as pool,
    ):
        with pool.enclave() as first, pool.enclave() as second:
            for enclave in (first, second, first):
                enclave.run(PROGRAM)
            with pytest.raises(EnclaveError):
                second.run(LAST).unwrap()
            for enclave in (first, second):
                enclave.run("call_tool('users:list', {'limit': 3})")
            with second.session() as session:
                session.run(PROGRAM)
        pool.run(PROGRAM)
    assert check(path, POLICIES["denying"]) >= EXPECTED["denying"] | ALWAYS
    assert replay(path, double_vm).conversations == 3
