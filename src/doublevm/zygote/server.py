"""The zygote's work: requests of the host in, pairs and answers out."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
from typing import TYPE_CHECKING, Final

from doublevm.wire.frames import encode_frame
from doublevm.wire.framing import FrameBuffer, pack
from doublevm.wire.zygote_frames import (
    AskStatus,
    Spawn,
    Spawned,
    Status,
    Unspawned,
    Warm,
    Warmed,
    decode_to_zygote,
)

if TYPE_CHECKING:
    import msgspec

    from doublevm.zygote.pairs import Pairs

_CHUNK: Final = 65536
_MOST_FDS: Final = 16

IDLE_SECONDS: Final = 0.3
"""How long nothing must have been asked for before what later pairs need is loaded."""


class Server:
    """Serves one host."""

    def __init__(self, host: socket.socket, pairs: Pairs) -> None:
        """Take the socket, and who forks."""
        self._host, self._pairs = host, pairs
        self._buffer = FrameBuffer()
        self._fds: list[int] = []
        """Descriptors that came with frames that are not complete yet."""
        # Python's own signal handler writes to this pipe when a pair has ended.
        self._woken_fd, self._wake_fd = os.pipe()
        os.set_blocking(self._wake_fd, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake_fd)

    def serve(self) -> None:
        """Do what the host asks for until it hangs up."""
        while True:
            patience = None if self._pairs.warm else IDLE_SECONDS
            ready = select.select([self._host.fileno(), self._woken_fd], [], [], patience)[0]
            if not ready:
                self._pairs.warm_up()
            if self._woken_fd in ready:
                os.read(self._woken_fd, 4096)
                self._pairs.reap()
            if self._host.fileno() in ready and not self._receive():
                return

    def _receive(self) -> bool:
        """Take what has come; return whether the host is still there."""
        try:
            data, fds, _, _ = socket.recv_fds(self._host, _CHUNK, _MOST_FDS)
        except ConnectionResetError:
            return False
        for fd in fds:  # a parent VM's worker is not to have them
            os.set_inheritable(fd, False)  # noqa: FBT003
        self._fds += fds
        self._buffer.feed(data)
        while (frame := self._buffer.take()) is not None:
            self._obey(decode_to_zygote(frame))
        return bool(data)

    def _obey(self, request: Spawn | Warm | AskStatus) -> None:
        match request:
            case Spawn():
                self._spawn(request)
            case Warm(number=number):
                self._pairs.warm_up()
                self._answer(Warmed(number))
            case AskStatus(number=number, pid=pid):
                self._answer(Status(number, self._pairs.status(pid)))

    def _spawn(self, request: Spawn) -> None:
        fds, self._fds = self._fds, []
        try:
            read_fd, write_fd = _both(fds)
            pid = self._pairs.spawn(read_fd, write_fd, request.missing, request.cpython)
            # A pair that nobody can hold ends by itself, as the host closes its pipes.
            pidfd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        except OSError as error:
            self._answer(Unspawned(request.number, str(error)))
            return
        finally:
            for fd in fds:
                os.close(fd)
        if pidfd is None:
            self._answer(Spawned(request.number, pid))
            return
        self._answer(Spawned(request.number, pid), pidfd)
        os.close(pidfd)

    def _answer(self, frame: msgspec.Struct, *fds: int) -> None:
        socket.send_fds(self._host, [pack(encode_frame(frame))], fds)


def _both(fds: list[int]) -> tuple[int, int]:
    """Return the two descriptors of a pair; the kernel drops those that it has no room for."""
    if len(fds) != 2:  # noqa: PLR2004
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return fds[0], fds[1]
