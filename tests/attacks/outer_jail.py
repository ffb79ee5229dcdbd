"""The outer jail: a throw-away container for hostile programs, so that one that gets through harms
nothing but the test that expected it not to.

A command in it has namespaces of its own (users, mounts, processes, network, …). It sees Python,
the repository's ``src`` and ``tests`` and the system's libraries, all of it read-only, an empty
``/tmp``, and a network that is its own 127.0.0.1. Nobody in it is root outside, and it has limits
and an end. What it may do inside is not restricted: doublevm's own barriers are made there,
namespaces included.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tests.attacks.jail_launcher import FAILED, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY: Final = Path(__file__).parents[2]

ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}

_SYSTEM: Final = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache")
_BOOT: Final = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from tests.attacks.jail_launcher import main; main()"
)
_TRIAL: Final = "import ctypes, os; print('inside', os.getpid())"


class JailError(Exception):
    """The jail could not be made: nothing has run."""


def run_jailed(
    command: Sequence[str],
    *,
    timeout: float,
    writable: Path | None = None,
    as_root: bool = False,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    """Run a command in a fresh jail and return how it ended and what it wrote.

    Args:
        command: A program's full path and its arguments.
        timeout: Seconds until everything in the jail is killed.
        writable: A folder outside that it may write to, where it is. Where the tests run as root,
            the jail's users are others: the folder has to be writable by everybody.
        as_root: Whether to be the jail's root, with all capabilities over what is made in the jail,
            where the tests run as root; an ordinary user without any otherwise.
        environment: Variables beyond those of ENVIRONMENT.

    Raises:
        JailError: the jail cannot be made here.
        subprocess.TimeoutExpired: it took too long; everything in it is killed.
    """
    with tempfile.TemporaryDirectory(prefix="outer-jail-") as root:
        plan = Plan(
            command=list(command),
            root=root,
            visible=_visible(),
            writable=None if writable is None else str(writable.resolve()),
            cpu=math.ceil(timeout),
            as_root=as_root,
            environment={**ENVIRONMENT, **environment},
        )
        done = _launch(plan, timeout)
    if done.returncode == FAILED:
        raise JailError(f"the outer jail cannot be made: {done.stderr.strip()}")
    return done


@functools.cache
def available() -> str | None:
    """Return why there can be no outer jail here, or None: it has been tried."""
    if sys.platform != "linux":
        return "the outer jail is made of Linux namespaces"
    try:
        done = run_jailed([sys.executable, "-I", "-c", _TRIAL], timeout=30)
    except (JailError, OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.stdout == "inside 2\n" else f"Python fails in it: {done.stderr.strip()}"


def _launch(plan: Plan, timeout: float) -> subprocess.CompletedProcess[str]:
    text = _to_json(plan)
    # Killing the launcher is enough: the kernel then kills the jail's init, and that is the jail.
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", _BOOT, str(REPOSITORY), text],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={},
        cwd="/",
        timeout=timeout,
        check=False,
    )


def _to_json(plan: Plan) -> str:
    return json.dumps(dataclasses.asdict(plan))


def _visible() -> list[str]:
    """Return what Python, doublevm and the tests need, outer folders before inner ones."""
    python = (sys.base_prefix, sys.prefix)
    ours = (str(REPOSITORY / "src"), str(REPOSITORY / "tests"))
    wanted = sorted({*_SYSTEM, *python, *ours}, key=len)
    kept: list[str] = []
    for path in wanted:
        if not any(Path(path).is_relative_to(other) for other in kept):
            kept.append(path)
    return kept
