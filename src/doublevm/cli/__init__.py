"""The command line: ``doublevm run``, ``tools`` and ``doctor``."""

from __future__ import annotations

from doublevm.cli.app import main

__all__ = ["main"]
