"""What a guest on cpython can do with its process: compute, and nothing else.

Each probe has a control: the same probe gets through in a plain process of an ordinary user. The
probes are harmless: they read what anybody may read, and touch nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from doublevm import Enclave

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBES = {
    "open a file": "open('/etc/hostname').read()",
    "open a file by descriptor": "import os\nos.open('/etc/hostname', os.O_RDONLY)",
    "open a file through libc": """
        import ctypes
        fd = ctypes.CDLL(None, use_errno=True).open(b"/etc/hostname", 0)
        if fd < 0:
            raise OSError(ctypes.get_errno(), "open")
    """,
    "list a folder": "import os\nos.listdir('/')",
    "make a pipe": "import os\nos.pipe()",
    "duplicate a descriptor": "import os\nos.dup(0)",
    "make a socket": "import socket\nsocket.socket().close()",
    "make a memory file": "import os\nos.memfd_create('probe')",
    "fork": """
        import os
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    """,
    "start a thread": "import threading\nthreading.Thread(target=int).start()",
    "run a command": "import subprocess\nsubprocess.run(['/bin/true'], check=True)",
    "see the environment": "import os\nassert 'MARKER' in os.environ, 'not there'",
    "raise its limits": """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))
    """,
}

TWINS = {
    "compute": "sum(range(1000)) == 499500",
    "hash": "import hashlib\nlen(hashlib.sha256(b'x').digest()) == 32",
    "randomness": "import random, secrets\nrandom.random() < 1 and len(secrets.token_hex()) == 64",
    "read the clock": "import time\ntime.time() > 0 and time.monotonic() > 0",
    "parse a date": "from datetime import datetime\ndatetime.strptime('2024', '%Y').year == 2024",
    "fail in JSON": """
        import json
        try:
            json.loads("{")
        except json.JSONDecodeError as error:
            found = error.pos == 1
        found
    """,
    "sleep": "import time\ntime.sleep(0.001) is None",
    "asyncio": "import asyncio\nasyncio.run(asyncio.sleep(0, True))",
    "use much memory": "len(bytearray(50_000_000)) == 50_000_000",
}


def control(probe: str) -> subprocess.CompletedProcess[str]:
    """Run a probe in an ordinary process: as nobody if this is root, not confined otherwise."""
    code = "import os\nif os.geteuid() == 0:\n    os.setgroups([])\n    os.setgid(65534)\n"
    preload = "import ctypes, os, resource, socket, subprocess, threading\n"
    identity = code + "    os.setuid(65534)\n"
    return subprocess.run(
        [sys.executable, "-c", preload + identity + textwrap.dedent(probe)],
        capture_output=True,
        text=True,
        check=False,
        env={"MARKER": "1"},
        timeout=60,
    )


@pytest.fixture(scope="module")
def enclave() -> Iterator[Enclave]:
    with Enclave(engine="cpython") as enclave:
        yield enclave


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_a_probe_is_stopped(enclave: Enclave, probe: str) -> None:
    result = enclave.run(textwrap.dedent(probe))
    assert result.error is not None
    expected = {
        "FileNotFoundError",
        "OSError",
        "BlockingIOError",
        "RuntimeError",
        "ValueError",
        "AssertionError",
    }
    assert result.error.type in expected | {"ModuleNotFoundError", "PermissionError"}


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_its_control_gets_through(probe: str) -> None:
    done = control(probe)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", TWINS.values(), ids=TWINS)
def test_harmless_things_work(enclave: Enclave, program: str) -> None:
    assert enclave.run(textwrap.dedent(program)).unwrap() is True
