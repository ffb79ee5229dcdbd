"""What a hostile program tries to reach, in the outer jail: each at a place that programs know.

The places are open to everybody: neither a file's mode nor its owner may be what stops a guest.
Contents are random, so that a program cannot say it has been somewhere it has not.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.attacks.escape_cases import Kind

FOLDER: Final = Path("/tmp/canary")  # noqa: S108 - of the outer jail, fresh for each
SECRET: Final = FOLDER / "secret"
"""``file``: what is written in it."""
MARK: Final = FOLDER / "mark"
"""``write`` and ``command``: that it exists, as whatever kind of file."""
TCP_PORT: Final = 4711
UNIX_SOCKET: Final = FOLDER / "socket"
"""``connection``: that somebody connected to either."""
VARIABLE: Final = "DOUBLEVM_CANARY"
"""``environment``: its value in the host's process."""
SIGNAL: Final = signal.SIGUSR1
"""``signal``: that the host got it."""


class Canaries:
    """All of them, in the process of the host."""

    def __init__(self) -> None:
        """Put them in their places."""
        self.file, self.host, self.blocked = (secrets.token_hex(16) for _ in range(3))
        self.environment = os.environ[VARIABLE]
        FOLDER.mkdir()
        FOLDER.chmod(0o777)
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(str(UNIX_SOCKET))
        UNIX_SOCKET.chmod(0o777)
        unix.listen()
        self._servers = (socket.create_server(("127.0.0.1", TCP_PORT)), unix)
        for server in self._servers:
            server.setblocking(False)
        self._signals = 0
        signal.signal(SIGNAL, self._on_signal)
        self.reset()

    def reset(self) -> None:
        """Begin a case: nothing has been reached."""
        if MARK.is_dir() and not MARK.is_symlink():
            shutil.rmtree(MARK)
        else:
            MARK.unlink(missing_ok=True)
        SECRET.unlink(missing_ok=True)
        SECRET.write_text(self.file)
        SECRET.chmod(0o644)
        self._connections()
        self._signals = 0

    def reached(self, text: str) -> set[Kind]:
        """Return what has been reached by now; ``text`` is all that the program could say."""
        found: set[Kind] = set()
        if self.file in text:
            found.add("file")
        if self.environment in text:
            found.add("environment")
        if self.host in text or self.blocked in text:
            found.add("host")
        if os.path.lexists(MARK):
            found |= {"write", "command"}
        if self._connections():
            found.add("connection")
        if self._signals:
            found.add("signal")
        return found

    def _connections(self) -> int:
        """Count those that wait to be accepted, and let go of them."""
        count = 0
        for server in self._servers:
            with contextlib.suppress(BlockingIOError):
                while True:
                    server.accept()[0].close()
                    count += 1
        return count

    def _on_signal(self, *_: object) -> None:
        self._signals += 1
