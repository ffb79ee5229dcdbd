from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BECOME_A_STRANGER = """
import os
if os.geteuid() == 0:
    stranger = 1_900_000_000 + os.getpid()
    os.setgroups([])
    os.setresgid(stranger, stranger, stranger)
    os.setresuid(stranger, stranger, stranger)
"""
"""No payload runs as root: each has a uid that owns nothing, and an empty folder."""

Stranger = subprocess.CompletedProcess[str]


@pytest.fixture
def as_stranger(tmp_path: Path) -> Callable[..., Stranger]:
    """Return a function that runs code as somebody without rights, and its imports before."""
    folder = tmp_path / "empty"
    folder.mkdir(mode=0o755)

    def run(code: str, *arguments: object, imports: str = "os", **options: Any) -> Stranger:
        text = f"import {imports}\n{BECOME_A_STRANGER}\n{textwrap.dedent(code)}"
        return subprocess.run(
            [sys.executable, "-c", text, *(str(each) for each in arguments)],
            cwd=folder, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
            capture_output=True, **options,
        )  # fmt: skip

    return run
