"""The command line: ``doublevm run`` and ``doublevm tools``."""

from __future__ import annotations

from doublevm.cli.app import main

__all__ = ["main"]
