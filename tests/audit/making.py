"""Entries and trails for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doublevm.audit import JsonlSink, SqliteSink
from doublevm.host.sinks.entries import Attempt, Ended, Program

if TYPE_CHECKING:
    from pathlib import Path

KINDS: dict[str, type[JsonlSink | SqliteSink]] = {"jsonl": JsonlSink, "sqlite": SqliteSink}


def program(**changes: Any) -> Program:
    fields: dict[str, Any] = {
        "enclave": "e" * 16,
        "run": 1,
        "time": 1000.0,
        "sha256": "0" * 64,
        "engine": "monty",
        "level": "STANDARD",
        "session": False,
        "source": "n = 1\n\nusers.list(n=n)",
    }
    return Program(**fields | changes)


def attempt(number: int = 1, **changes: Any) -> Attempt:
    fields: dict[str, Any] = {
        "enclave": "e" * 16,
        "run": 1,
        "number": number,
        "time": 1000.0 + number,
        "operation": "users:list",
        "arguments": {"n": number},
        "verdict": "allow",
        "line": 3,
    }
    return Attempt(**fields | changes)


def ended(number: int = 1, **changes: Any) -> Ended:
    fields: dict[str, Any] = {
        "enclave": "e" * 16,
        "run": 1,
        "number": number,
        "time": 1000.5 + number,
        "outcome": "returned",
        "duration": 0.25,
    }
    return Ended(**fields | changes)


def opened(kind: str, folder: Path, **options: Any) -> JsonlSink | SqliteSink:
    return KINDS[kind](folder / f"trail.{kind}", **options)
