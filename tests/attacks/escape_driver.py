"""Runs a batch of escapes inside of the outer jail and prints one line of JSON per case.

Arguments: ``monty`` or ``cpython`` for doublevm's enclaves, ``control`` for a host that confines
nothing; the number of the batch, a family, or ``twins``; and ``reduced`` for a kernel that offers
less (see ``lesser_kernel.py``).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from doublevm import DoubleVM, Enclave, EnclaveError, Limits, ParentValidation, tool
from tests.attacks.canaries import Canaries
from tests.attacks.escape_cases import ESCAPES, TWINS, Escape, batch_of
from tests.attacks.lesser_kernel import offer_less
from tests.support.procfs import descendants

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm import RunResult
    from tests.attacks.escape_cases import Kind

_TIMEOUT: Final = 6.0
_CONTROL_TIMEOUT: Final = 30.0
_NAIVE_HOST: Final = Path(__file__).parent / "naive_host.py"


def main(mode: str, batch: str, how: str = "") -> None:
    """Run what the arguments say."""
    if how == "reduced":
        offer_less()
    # Text of huge ints is asked for below, and they are what some programs come with.
    sys.set_int_max_str_digits(0)
    if batch == "twins":
        _run_twins(mode)
        return
    canaries = Canaries()
    chosen = [escape for escape in ESCAPES if batch in (str(batch_of(escape)), escape.family)]
    if mode == "control":
        for escape in chosen:
            if escape.control:
                canaries.reset()
                _report(escape, *_control(escape, canaries))
        return
    _run_enclave(mode, [escape for escape in chosen if mode in escape.engines], canaries)


def _report(escape: Escape, reached: set[Kind], outcome: str) -> None:
    row = {"id": escape.name, "reached": sorted(reached), "outcome": outcome}
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


# --- doublevm -------------------------------------------------------------------------------


class _Host:
    """The host's tools: what they hold and what reaches them."""

    def __init__(self, canaries: Canaries) -> None:
        self.said: list[str] = []
        self._canaries = canaries

    def tools(self) -> list[Callable[..., Any]]:
        """Return a tool that anybody may call and one that nobody may."""
        secret = self._canaries.host

        @tool
        def show(value: Any) -> Any:
            if value == secret:
                return "known"
            self.said.append(repr(value))
            return value

        @tool(name="canary:blocked")
        def blocked(value: Any = None) -> str:
            self.said.append(self._canaries.blocked)
            return self._canaries.blocked

        return [show, blocked]


def _run_enclave(engine: str, escapes: list[Escape], canaries: Canaries) -> None:
    host = _Host(canaries)
    validation = ParentValidation(blocked_operation_patterns=("blocked",))
    with Enclave(
        tools=host.tools(),
        engine=engine,
        limits=Limits(timeout=_TIMEOUT, max_tool_calls=50),
        double_vm=DoubleVM(parent_validation=validation),
        # It is not the wall: all of this has to hold without anybody having read the programs.
        guard=None,
    ) as enclave:
        for escape in escapes:
            canaries.reset()
            host.said.clear()
            outcome, text = _attempt(enclave, escape.program)
            _report(escape, canaries.reached(text + "".join(host.said)), outcome)
        _report_confinement(enclave)


def _report_confinement(enclave: Enclave) -> None:
    enclave.run("1")  # there may be no pair since the last case
    uids = {uid for process in descendants() for uid in _uids(process.folder)}
    found = enclave.confinement
    assert found is not None
    row = {
        "rung": found.rung.label,
        "missing": dict(found.missing),
        "uids": sorted(uids),
        "guarded": bool(enclave.check("import os; ().__class__.__bases__").findings),
    }
    sys.stdout.write(json.dumps({"id": "confinement"} | row) + "\n")


def _uids(process: Path) -> set[int]:
    lines = (process / "status").read_text().splitlines()
    return {int(uid) for line in lines if line.startswith("Uid:") for uid in line.split()[1:]}


def _attempt(enclave: Enclave, program: str) -> tuple[str, str]:
    try:
        result = enclave.run(program)
    except EnclaveError as error:
        return type(error).__name__, repr(error)
    return _outcome(result), repr(result)


def _outcome(result: RunResult) -> str:
    error = result.error
    return "success" if error is None else f"{error.code}: {error.message}"[:300]


def _run_twins(engine: str) -> None:
    with Enclave(tools=_Host(Canaries()).tools(), engine=engine) as enclave:
        for twin in TWINS:
            if engine not in twin.engines:
                continue
            result = enclave.run(twin.program)
            right = result.success and result.value == twin.value
            outcome = "success" if right else f"{_outcome(result)}, value {result.value!r}"
            sys.stdout.write(json.dumps({"id": twin.id, "outcome": outcome}) + "\n")


# --- controls -------------------------------------------------------------------------------


def _control(escape: Escape, canaries: Canaries) -> tuple[set[Kind], str]:
    task = {"program": escape.program, "host": canaries.host, "blocked": canaries.blocked}
    process = subprocess.Popen(
        [sys.executable, "-P", str(_NAIVE_HOST)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/tmp",  # noqa: S108 - of the outer jail
    )
    try:
        said, _ = process.communicate(json.dumps(task).encode(), _CONTROL_TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
    text = said.decode("utf-8", "replace")
    return canaries.reached(text), f"status {process.returncode}: {text[-600:]}"


if __name__ == "__main__":
    main(*sys.argv[1:])
