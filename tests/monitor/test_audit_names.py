"""The names of ``doublevm.audit`` that are the host's: there on first use, and not before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import doublevm.audit


@pytest.mark.parametrize("name", doublevm.audit.__all__)
def test_every_name_is_there(name: str) -> None:
    doublevm.audit.__dict__.pop(name if name in doublevm.audit._HOMES else "", None)
    assert getattr(doublevm.audit, name) is not None


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match=r"'doublevm\.audit' has no attribute 'NoSink'"):
        doublevm.audit.__getattr__("NoSink")


def test_nothing_of_the_host_is_loaded_before_it_is_asked_for() -> None:
    program = (
        "import sys, doublevm.audit as a; before = set(sys.modules); a.Redact\n"
        "print('doublevm.host' in before, 'doublevm.host' in sys.modules)"
    )
    # The same copy as here: `make mutate` has one that is not installed.
    environment = {**os.environ, "PYTHONPATH": str(Path(doublevm.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, timeout=60, env=environment,
    )  # fmt: skip
    assert done.stdout == "False True\n"
