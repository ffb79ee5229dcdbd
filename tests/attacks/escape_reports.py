"""Reports of a jailed driver, one jail per batch and engine, made once per test session.

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
    "from tests.attacks.{driver} import main; main(*{arguments!r})"
)

Report = dict[str, dict[str, Any]]


class Reports:
    """Makes reports, or takes those another worker has made."""

    def __init__(self, factory: pytest.TempPathFactory, driver: str = "escape_driver") -> None:
        """Share with the other workers, if there are any."""
        alone = "PYTEST_XDIST_WORKER" not in os.environ
        base = factory.getbasetemp()
        self._folder = (base if alone else base.parent) / f"{driver}-reports"
        self._folder.mkdir(exist_ok=True)
        self._driver = driver

    @functools.cache  # noqa: B019 - there is one per session
    def report(self, *arguments: object, as_root: bool = False) -> Report:
        """Return what the driver says of a batch: rows by case, and how it ended under ``""``."""
        path = self._folder / f"{'-'.join(map(str, arguments))}.json"
        with Path(f"{path}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                path.write_text(json.dumps(_make(self._driver, arguments, as_root)))
        made: Report = json.loads(path.read_text())
        return made


def _make(driver: str, arguments: tuple[object, ...], as_root: bool) -> Report:  # noqa: FBT001
    code = _BOOT.format(
        repository=str(REPOSITORY), driver=driver, arguments=tuple(map(str, arguments))
    )
    # Only what a process was started with is in its /proc/PID/environ, where escapes look for it.
    secret = {VARIABLE: secrets.token_hex(16)}
    command = [sys.executable, "-I", "-c", code]
    done = run_jailed(command, timeout=BATCH_TIMEOUT, environment=secret, as_root=as_root)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    report: Report = {row["id"]: row for row in rows}
    report[""] = {"id": "", "outcome": f"status {done.returncode}: {done.stderr[-2000:]}"}
    return report
