"""The monty worker under its filter, and the process that drives it under its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from doublevm.launch import monty_binary, package_folders

if TYPE_CHECKING:
    from pathlib import Path

BINARY = monty_binary()
pytestmark = pytest.mark.skipif(BINARY is None, reason="the monty worker is not installed")

LAUNCHER = """#!{python} -IS
import os, sys
sys.path += {folders!r}
from doublevm.jail.filters import WORKER
from doublevm.jail.seccomp import install
install(WORKER{options})
os.execv({binary!r}, ["monty", *sys.argv[1:]])
"""

HOST = """
import os, resource, sys, time
from pydantic_monty import Monty
from doublevm.jail.filters import PARENT
from doublevm.jail.seccomp import install
PROGRAM = '''
total = sum([double(n) for n in range(3)])
data = [n for n in range(200_000)]
text = "a" * 1_000_000
print(total, len(data), len(text))
def deeper():
    deeper()
try:
    deeper()
except RecursionError:
    print("recursion")
import json, re, datetime
json.loads("[1]") + [re.match("a", "a").group()]
'''
printed = []
pool = Monty(binary_path=sys.argv[1], min_processes=1, max_processes=1).__enter__()
session = pool.checkout(limits={"max_memory": 50_000_000, "max_suspensions": 100}).__enter__()
if sys.argv[2] == "sealed":
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC):
        resource.prlimit(session.worker_pid, limit, (0, 0))
    install(PARENT)
step = session.feed_start(PROGRAM, print_callback=lambda _, text: printed.append(text))
while not hasattr(step, "output"):
    step = step.resume({"return_value": 2 * step.args[0]})
print(step.output, "".join(printed).split())
session.__exit__(None, None, None)
pool.__exit__(None, None, None)
"""


@pytest.mark.parametrize("host", ["sealed", "free"])
def test_a_program_with_calls_runs(tmp_path: Path, host: str) -> None:
    done = drive(launcher(tmp_path), host)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[1, 'a'] ['6', '200000', '1000000', 'recursion']\n"


def test_the_filter_is_on_the_worker(tmp_path: Path) -> None:
    """Control: with a filter that refuses what it needs, the same launcher gives no worker."""
    launch = launcher(tmp_path)
    launch.write_text(launch.read_text().replace("install(WORKER)", _WITHOUT_OPENAT))
    done = drive(launch, "free")
    assert done.returncode != 0


_WITHOUT_OPENAT = """from dataclasses import replace
install(replace(WORKER, rules=tuple(r for r in WORKER.rules if r.syscall != "openat")))"""


def launcher(folder: Path) -> Path:
    path = folder / "launcher"
    folders = list(package_folders())
    path.write_text(
        LAUNCHER.format(python=sys.executable, folders=folders, binary=BINARY, options="")
    )
    path.chmod(0o755)
    return path


def drive(launch: Path, host: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HOST, str(launch), host],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
