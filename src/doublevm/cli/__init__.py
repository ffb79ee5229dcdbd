"""The command line: ``doublevm run``, ``check``, ``tools``, ``doctor`` and ``audit``."""

from __future__ import annotations

from doublevm.cli.app import main

__all__ = ["main"]
