"""What native probes reach for, beyond the canaries of escapes: all of it the driver's."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from typing import Final

from tests.attacks.canaries import MARK, SECRET, Canaries

UDP_PORT: Final = 4712
TCP_PORT: Final = 4711
_ABSTRACT: Final = "\0canary"
_IPC_CREATE: Final = 0o1666
_UNTOUCHED: Final = b"untouched"
_MODE: Final = 0o666
_PR_SET_PTRACER: Final = 0x59616D61


class World:
    """The canaries, and others that only native code can reach."""

    def __init__(self) -> None:
        """Put everything in its place."""
        self.canaries = Canaries()
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)  # where Yama would protect it
        secret = self.canaries.file.encode()
        self._secret = ctypes.create_string_buffer(secret)
        self._target = ctypes.create_string_buffer(_UNTOUCHED, 32)
        self._secret_fd = os.open(SECRET, os.O_RDONLY)
        self._datagrams = (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        )
        self._datagrams[0].bind(("127.0.0.1", UDP_PORT))
        self._datagrams[1].bind(_ABSTRACT)
        for each in self._datagrams:
            each.setblocking(False)
        self._segment = libc.shmget(4711, 4096, _IPC_CREATE)
        libc.shmat.restype = ctypes.c_void_p
        place = libc.shmat(self._segment, None, 0)
        ctypes.memmove(place, secret, len(secret))

    def facts(self) -> dict[str, int]:
        """Return what probes are told of it."""
        return {
            "HOST": os.getpid(),
            "SECRET_AT": ctypes.addressof(self._secret),
            "TARGET_AT": ctypes.addressof(self._target),
            "SECRET_FD": self._secret_fd,
            "SHM": self._segment,
            "TCP": TCP_PORT,
            "UDP": UDP_PORT,
        }

    def reset(self) -> None:
        """Begin a probe: nothing has been reached."""
        for path in (SECRET, MARK):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
        self.canaries.reset()
        # The file is a new one each time.
        os.close(self._secret_fd)
        fd = os.open(SECRET, os.O_RDONLY)
        os.dup2(fd, self._secret_fd)
        if fd != self._secret_fd:
            os.close(fd)
        SECRET.chmod(_MODE)
        self._target.value = _UNTOUCHED
        self._received()

    def reached(self, text: str) -> list[str]:
        """Return what has been reached; ``text`` is all that the probe could say."""
        found = {str(each) for each in self.canaries.reached(text)}
        for secret in (self.canaries.file, self.canaries.environment):
            if secret.encode().hex() in text:
                found.add("secret")
        if self._target.value != _UNTOUCHED:
            found.add("memory")
        if not self._file_is_as_it_was():
            found.add("write")
        if self._received():
            found.add("datagram")
        return sorted(found)

    def _file_is_as_it_was(self) -> bool:
        if not SECRET.is_file() or SECRET.stat().st_mode & 0o7777 != _MODE:
            return False
        return SECRET.read_text() == self.canaries.file

    def _received(self) -> int:
        count = 0
        for each in self._datagrams:
            with contextlib.suppress(BlockingIOError):
                while True:
                    each.recv(4096)
                    count += 1
        return count
