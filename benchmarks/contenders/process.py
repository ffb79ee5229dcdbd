"""A plain subprocess: CPython, started for each run, that calls the tool with lines of JSON.

It is kept from nothing. ``-I -S`` as for doublevm's own processes: no site directories.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, ClassVar, Final

from benchmarks.contenders.base import Contender

_PRELUDE: Final = """
import json, sys
def echo(value):
    sys.stdout.write(json.dumps({"call": value}) + "\\n")
    sys.stdout.flush()
    return json.loads(sys.stdin.readline())
names = {"echo": echo}
exec(json.loads(sys.stdin.readline()), names)
sys.stdout.write(json.dumps({"result": names["result"]}) + "\\n")
"""


class Plain(Contender):
    """One process for each run."""

    cold = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-I', '-S', '-c', 'print(1 + 1)']\n"
        "print(int(subprocess.run(command, stdout=subprocess.PIPE).stdout), flush=True)"
    )
    cannot: ClassVar = {"gather": "it has one pipe, and answers in turn"}

    def __init__(self) -> None:
        """Start nothing yet."""
        self._kept: subprocess.Popen[str] | None = None

    def run(self, source: str) -> Any:
        """Start it, hand it the program, answer its calls."""
        with _started() as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(source) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                said = json.loads(line)
                if "result" in said:
                    return said["result"]
                process.stdin.write(json.dumps(said["call"]) + "\n")
                process.stdin.flush()
        raise RuntimeError("the process ended without a result")

    def hold(self) -> None:
        """Keep one that waits for its program."""
        self._kept = _started()

    def close(self) -> None:
        """End it."""
        if self._kept is not None:
            self._kept.kill()
            self._kept.communicate()
            self._kept = None


def _started() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _PRELUDE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
