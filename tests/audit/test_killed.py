"""A host under load is killed at random moments: no handler has run without its record.

20 times; DOUBLEVM_KILLS says another number, and `make kills` says 200.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from doublevm.audit import read_trail, verify_trail
from tests.audit.making import KINDS, opened
from tests.support.procfs import descendants, is_alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = Path(__file__).with_name("busy_host.py")
ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("DOUBLEVM_KILLS", "20"))
WAYS = [(kind, driver) for kind in KINDS for driver in ("sync", "async")]
AT_ONCE = 2
"""Guests of the host."""
LATEST = 0.3
"""Seconds after its first operation that a host lives at most."""


@contextlib.contextmanager
def busy_host(kind: str, folder: Path, driver: str) -> Iterator[subprocess.Popen[bytes]]:
    paths = (str(folder / f"trail.{kind}"), str(folder / "effects"))
    host = subprocess.Popen(
        [sys.executable, str(HOST), kind, *paths, driver],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )
    try:
        yield host
    finally:
        vms = descendants(host.pid)
        host.kill()
        host.communicate()
        assert wait_until(lambda: not any(is_alive(vm.pid) for vm in vms), 30)


@pytest.mark.timeout(60 + 20 * KILLS)
@pytest.mark.parametrize(("kind", "driver"), WAYS)
def test_no_handler_has_run_without_its_record(kind: str, driver: str, tmp_path: Path) -> None:
    chance = random.SystemRandom()
    for kill in range(1, -(-KILLS // len(WAYS)) + 1):
        moment = chance.uniform(0, LATEST)
        with busy_host(kind, tmp_path, driver) as host:
            assert host.stdout is not None
            assert host.stdout.readline() == b"ready\n", host.communicate()
            time.sleep(moment)
        found = verify_trail(tmp_path / f"trail.{kind}")
        assert found.ok, (moment, found.faults)
        check(kind, tmp_path, kill)
    with opened(kind, tmp_path):
        found = verify_trail(tmp_path / f"trail.{kind}")
        assert found.ok, found.faults
        assert not found.torn


def check(kind: str, folder: Path, kills: int) -> None:
    done = (folder / "effects").read_text().splitlines()
    assert done
    operations = list(read_trail(folder / f"trail.{kind}").operations())
    recorded = {each.arguments["name"] for each in operations if each.verdict.allowed}
    assert recorded.issuperset(done)
    finished = {each.arguments["name"] for each in operations if each.outcome == "returned"}
    assert finished.issubset(done)
    # What was under way: at most one call of each guest, each time that the host was killed.
    assert sum(each.outcome == "unknown" for each in operations) <= AT_ONCE * kills
