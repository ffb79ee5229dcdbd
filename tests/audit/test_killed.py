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
from tests.audit.busy_host import LAZY
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
MOST_TRIES = 10
"""Kills that the control has to show what it is."""
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
        kill_at(moment, kind, tmp_path, driver)
        found = verify_trail(tmp_path / f"trail.{kind}")
        assert found.ok, (moment, found.faults)
        check(kind, tmp_path, kill)
    with opened(kind, tmp_path):
        found = verify_trail(tmp_path / f"trail.{kind}")
        assert found.ok, found.faults
        assert not found.torn


@pytest.mark.timeout(60 + 20 * MOST_TRIES)
@pytest.mark.parametrize("driver", ["sync", "async"])
def test_the_control_a_lazy_sink_is_found_out(driver: str, tmp_path: Path) -> None:
    """What it holds back when its host is killed had been done. Mostly the first kill shows it."""
    chance = random.SystemRandom()
    for _ in range(MOST_TRIES):
        kill_at(chance.uniform(0, LATEST), LAZY, tmp_path, driver)
        if unrecorded(LAZY, tmp_path):
            with pytest.raises(AssertionError, match="without its record"):
                check(LAZY, tmp_path, MOST_TRIES)
            return
    pytest.fail("no handler has run without its record")


def kill_at(moment: float, kind: str, folder: Path, driver: str) -> None:
    with busy_host(kind, folder, driver) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == b"ready\n", host.communicate()
        time.sleep(moment)


def unrecorded(kind: str, folder: Path) -> set[str]:
    """Return what was done and is not on record as allowed."""
    done = set((folder / "effects").read_text().splitlines())
    assert done
    operations = read_trail(folder / f"trail.{kind}").operations()
    return done - {each.arguments["name"] for each in operations if each.verdict.allowed}


def check(kind: str, folder: Path, kills: int) -> None:
    assert not unrecorded(kind, folder), "a handler has run without its record"
    done = (folder / "effects").read_text().splitlines()
    operations = list(read_trail(folder / f"trail.{kind}").operations())
    finished = {each.arguments["name"] for each in operations if each.outcome == "returned"}
    assert finished.issubset(done)
    # What was under way: at most one call of each guest, each time that the host was killed.
    assert sum(each.outcome == "unknown" for each in operations) <= AT_ONCE * kills
