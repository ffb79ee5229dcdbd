"""The contenders by name, each in a module that is imported only where it runs."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from benchmarks.contenders.base import Contender

SECOND: Final = Path(__file__).parents[2] / "build" / "bench-3.13" / "bin" / "python"
"""An interpreter for contenders that need a newer one than doublevm does."""


@dataclass(frozen=True)
class Entry:
    """Where a contender is found, and what it is called."""

    label: str
    place: str
    """``module:Class`` under this package."""
    package: str = ""
    """The distribution that must be installed, and whose version is shown."""
    module: str = ""
    """What it is imported as."""


ENTRIES: Final = {
    "python": Entry("bare CPython", "floors:Python"),
    "fork": Entry("bare fork", "floors:Fork"),
    "echo": Entry("two-hop pipe echo", "floors:Echo"),
    "doublevm-monty": Entry("doublevm, monty", "enclave:Monty", "doublevm", "doublevm"),
    "doublevm-cpython": Entry("doublevm, cpython", "enclave:CPython", "doublevm", "doublevm"),
    "doublevm-monty-async": Entry(
        "doublevm, monty, async", "enclave:AsyncMonty", "doublevm", "doublevm"
    ),
    "doublevm-cpython-async": Entry(
        "doublevm, cpython, async", "enclave:AsyncCPython", "doublevm", "doublevm"
    ),
    "monty": Entry(
        "bare pydantic_monty, resume", "monty:Resumed", "pydantic-monty", "pydantic_monty"
    ),
    "monty-run": Entry(
        "bare pydantic_monty, feed_run", "monty:FeedRun", "pydantic-monty", "pydantic_monty"
    ),
    "pyeryx": Entry("pyeryx", "pyeryx:Eryx", "pyeryx", "eryx"),
    "smolagents": Entry("smolagents, local", "smolagents:Local", "smolagents", "smolagents"),
    "restricted": Entry(
        "RestrictedPython", "restricted:Restricted", "RestrictedPython", "RestrictedPython"
    ),
    "subprocess": Entry("plain subprocess", "process:Plain"),
}


def label(name: str) -> str:
    """Return what a contender is called in a table."""
    return ENTRIES[name].label if name in ENTRIES else name


def interpreter(name: str) -> str | None:
    """Return the Python in which a contender can be imported, or None."""
    entry = ENTRIES[name]
    if not entry.module or find_spec(entry.module) is not None:
        return sys.executable
    folder = SECOND.parents[1] / "lib" / "python3.13" / "site-packages" / entry.module
    return str(SECOND) if folder.is_dir() else None


def load(name: str) -> Contender:
    """Make a contender, in the process that measures it."""
    module, _, kind = ENTRIES[name].place.partition(":")
    made = getattr(importlib.import_module(f"{__name__}.{module}"), kind)()
    assert hasattr(made, "run")
    contender: Contender = made
    return contender


def versions() -> dict[str, str]:
    """Return the versions of what is installed, by distribution."""
    found = {}
    for entry in ENTRIES.values():
        if not entry.package:
            continue
        try:
            found[entry.package] = version(entry.package)
        except PackageNotFoundError:
            folders = SECOND.parents[1].glob(f"lib/python3.13/site-packages/{entry.package}-*")
            for folder in folders:
                number = folder.name.removeprefix(f"{entry.package}-").removesuffix(".dist-info")
                found[entry.package] = f"{number}, on Python 3.13"
    return found
