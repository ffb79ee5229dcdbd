"""A process of its own for each contender and placement: what one does to its process stays there.

So a contender's threads, imports and pinning cannot change what is measured for another, and one
core means all of its threads and processes. The harness asks with one line of JSON, and gets one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import interpreter, load
from benchmarks.contenders.base import CannotError
from benchmarks.scenarios import Scenario

if TYPE_CHECKING:
    from typing import TextIO

ROOT = Path(__file__).parents[1]


class UnavailableError(Exception):
    """A contender that cannot be measured here, or not in this scenario; its text says why."""


class Worker:
    """The harness's side."""

    def __init__(self, contender: str, *, one_core: bool) -> None:
        """Start it.

        Raises:
            UnavailableError: the contender is not installed.
        """
        python = interpreter(contender)
        if python is None:
            raise UnavailableError("not installed")
        # Through `-c`, as modules run with `-m` are imported twice.
        code = "from benchmarks.worker import main; main()"
        command = [python, "-W", "ignore", "-c", code, contender]
        if one_core:
            command.append("--one-core")
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def measure(self, scenario: Scenario) -> float:
        """Return one sample.

        Raises:
            UnavailableError: there is none to be had.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(scenario)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise UnavailableError(f"its process ended with status {self._process.wait()}")
        said = json.loads(line)
        if "why" in said:
            raise UnavailableError(said["why"])
        return float(said["value"])

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it, and what it has started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def main() -> None:
    """Measure whatever the lines of standard input ask for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contender")
    parser.add_argument("--one-core", action="store_true")
    options = parser.parse_args()
    if options.one_core:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    # What a contender prints goes with the progress: this pipe is for answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _serve(options.contender, answers)
    # Some contenders leave threads that would keep the process; nothing is left to do.
    os._exit(0)


def _serve(name: str, answers: TextIO) -> None:
    with load(name) as contender:
        for line in sys.stdin:
            answer: dict[str, Any]
            try:
                answer = {"value": contender.measure(Scenario(**json.loads(line)))}
            except CannotError as error:
                answer = {"why": str(error)}
            # The border to other people's packages: whatever fails is a footnote of the table.
            except Exception as error:  # noqa: BLE001
                answer = {"why": f"{type(error).__name__}: {error}"[:300]}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
