"""What is known of this machine's confinement: tried once in a host's life."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from doublevm.confinement import Confinement
from doublevm.errors import VMError
from doublevm.launch import python_command

if TYPE_CHECKING:
    from collections.abc import Mapping

_missing: dict[str, str] | None = None


def known_missing() -> dict[str, str] | None:
    """Return what the first pair has found missing; None before that."""
    return _missing


def note_missing(missing: Mapping[str, str]) -> None:
    """Remember it: later pairs do not try again, and what then fails ends them."""
    global _missing  # noqa: PLW0603 - a fact about the machine, the same for every enclave
    if _missing is None:
        _missing = dict(missing)


def probe_here() -> Confinement:
    """Try every mechanism in a process of its own.

    Raises:
        VMError: the process failed, or could not be started.
    """
    command = python_command("doublevm.jail.probe")
    try:
        done = subprocess.run(command, capture_output=True, check=False, env={}, cwd="/")
    except OSError as error:
        raise VMError(f"the probe cannot be started: {error}") from error
    if done.returncode != 0:
        raise VMError(f"the probe failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return Confinement(json.loads(done.stdout))
