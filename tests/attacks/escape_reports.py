"""Reports of the jailed driver, one jail per batch and engine, made once per test session.

The workers of pytest-xdist share them through files: a batch's tests may be spread over them all.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.attacks.canaries import VARIABLE
from tests.attacks.outer_jail import REPOSITORY, run_jailed

if TYPE_CHECKING:
    import pytest

BATCH_TIMEOUT: Final = 110

_BOOT: Final = (
    "import sys; sys.path.append({repository!r}); "
    "from tests.attacks.escape_driver import main; main({mode!r}, {batch!r}, {how!r})"
)

Report = dict[str, dict[str, Any]]


class Reports:
    """Makes reports, or takes those another worker has made."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        """Share with the other workers, if there are any."""
        alone = "PYTEST_XDIST_WORKER" not in os.environ
        base = factory.getbasetemp()
        self._folder = (base if alone else base.parent) / "escape-reports"
        self._folder.mkdir(exist_ok=True)

    @functools.cache  # noqa: B019 - there is one per session
    def report(self, mode: str, batch: object, how: str = "") -> Report:
        """Return what the driver says of a batch or a family: rows by case.

        ``how``: ``root`` to be the jail's, ``reduced`` for a kernel that offers less.
        """
        path = self._folder / f"{mode}-{batch}-{how}.json"
        with Path(f"{path}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                path.write_text(json.dumps(_make(mode, str(batch), how)))
        made: Report = json.loads(path.read_text())
        return made


def _make(mode: str, batch: str, how: str) -> Report:
    code = _BOOT.format(repository=str(REPOSITORY), mode=mode, batch=batch, how=how)
    # Only what a process was started with is in its /proc/PID/environ, where escapes look for it.
    secret = {VARIABLE: secrets.token_hex(16)}
    command = [sys.executable, "-I", "-c", code]
    done = run_jailed(command, timeout=BATCH_TIMEOUT, environment=secret, as_root=how == "root")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    report: Report = {row["id"]: row for row in rows}
    report[""] = {"id": "", "outcome": f"status {done.returncode}: {done.stderr[-2000:]}"}
    return report
