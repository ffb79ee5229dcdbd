"""The host's end of its zygotes: one per process and kind of pair, started when it is needed.

A zygote ends when its socket is closed: with this process, however that ends. A child that is
forked from this process closes its copy, and has zygotes of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from doublevm.errors import ConfinementUnavailable, EngineUnavailable
from doublevm.host.confinement import known_missing
from doublevm.host.processes import PairProcess
from doublevm.launch import python_command
from doublevm.wire import zygote_frames as z
from doublevm.wire.frames import encode_frame
from doublevm.wire.framing import FrameBuffer, pack

if TYPE_CHECKING:
    from doublevm.confinement import Rung

ONE_THREAD: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""numpy's libraries would each start a thread for every core as they are imported, and a fork has
none but the thread that forked."""

GOODBYE_SECONDS: Final = 2.0
"""How long a zygote has to end once its socket is closed; then it is killed."""

_CHUNK: Final = 65536
_LAST_STREAM: Final = 2


class Kind(NamedTuple):
    """What pairs of an enclave are made of."""

    cpython: Rung | None
    """The weakest confinement that guests may run on cpython with; None if none will."""
    packages: tuple[str, ...]
    """Modules that those can import beside the standard library."""
    folders: tuple[str, ...]
    """Where these are found."""


class ZygoteGoneError(Exception):
    """The zygote has ended."""


class Zygote:
    """One zygote. Threads take turns: a request is answered in some milliseconds."""

    def __init__(self, packages: tuple[str, ...], folders: tuple[str, ...]) -> None:
        """Start it: nothing of the host's environment, descriptors or folder goes with it.

        Raises:
            EngineUnavailable: the process cannot be started.
        """
        self._socket, theirs = _socket_pair()
        command = python_command(
            "doublevm.zygote.__main__", theirs.fileno(), "\n".join(folders), *packages
        )
        try:
            self._process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=ONE_THREAD if packages else {},
                cwd="/",
                process_group=0,
            )
        except OSError as error:
            self._socket.close()
            raise EngineUnavailable(f"the zygote cannot be started: {error}") from error
        finally:
            theirs.close()
        self._lock = threading.Lock()
        self._buffer = FrameBuffer()
        self._fds: list[int] = []
        self._number = 0
        self._lost = False
        """Whether it has ended, or somebody was interrupted while an answer was being read."""

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._lost and not self.ended

    @property
    def ended(self) -> bool:
        """Whether its process has ended: nothing will ever answer."""
        return self._process.poll() is not None

    def spawn(self, cpython: Rung | None) -> PairProcess:
        """Fork a pair.

        Raises:
            ConfinementUnavailable: a namespace was refused that works here.
            EngineUnavailable: this process can have no more descriptors.
            ZygoteGoneError: the zygote has ended.
        """
        read_fd, parent_writes, parent_reads, write_fd = _two_pipes()
        fds: list[int] = []
        try:
            with self._lock:
                weakest = cast("z.Weakest | None", cpython)
                request = z.Spawn(self._next_number(), weakest, known_missing())
                answer = self._ask(request, parent_reads, parent_writes)
                fds, self._fds = self._fds, []
        except BaseException:
            for fd in (read_fd, write_fd, *fds):
                os.close(fd)
            raise
        finally:
            os.close(parent_reads)
            os.close(parent_writes)
        # INVARIANT: where there are pidfds, no pair is held without one. Its pid is that of another
        # namespace, and would be somebody else's here. The kernel drops a descriptor that it has no
        # room for.
        if isinstance(answer, z.Spawned) and (fds or not hasattr(os, "pidfd_open")):
            pidfd = fds[0] if fds else None
            return PairProcess((read_fd, write_fd), answer.pid, pidfd, self.status)
        for fd in (read_fd, write_fd, *fds):
            os.close(fd)
        if isinstance(answer, z.Spawned):
            raise EngineUnavailable("a pair cannot be held: too many open files")
        raise ConfinementUnavailable(f"the VMs cannot be confined: {answer.message}")

    def warm_up(self) -> None:
        """Have it load what templates need, and wait until it has.

        Raises:
            ZygoteGoneError: it has ended.
        """
        with self._lock:
            self._ask(z.Warm(self._next_number()))

    def status(self, pid: int) -> int | None:
        """Return how a parent VM ended that has ended; None if the zygote is gone as well."""
        try:
            with self._lock:
                answer: z.Status = self._ask(z.AskStatus(self._next_number(), pid))
        except ZygoteGoneError:
            return None
        return answer.status

    def forget(self) -> None:
        """Let go of it in a forked child: it is the parent's."""
        self._socket.close()
        self._process.returncode = 0  # so that nobody waits for another process's child

    def close(self) -> None:
        """Hang up and wait for its end, and with it for that of all its pairs."""
        self._socket.close()
        try:
            self._process.wait(GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _ask(self, request: Any, *fds: int) -> Any:
        """Send a request and return its answer; others are of requests that were given up.

        With the lock held: whoever waited for it may find that the stream was left half read.
        """
        if self._lost:
            raise ZygoteGoneError("it was given up")
        try:
            socket.send_fds(self._socket, [pack(encode_frame(request))], fds)
            while True:
                answer = self._receive()
                if answer.number == request.number:
                    return answer
                self._close_fds()
        except OSError as error:  # a broken pipe, or closed by another thread
            self._lost = True
            raise ZygoteGoneError(str(error)) from None
        except BaseException:  # it has ended; or KeyboardInterrupt, say
            self._lost = True
            raise

    def _receive(self) -> Any:
        while (data := self._buffer.take()) is None:
            chunk, fds, _, _ = socket.recv_fds(self._socket, _CHUNK, 1)
            if not chunk:
                raise ZygoteGoneError("it has ended")
            self._fds += fds
            for fd in fds:
                os.set_inheritable(fd, False)  # noqa: FBT003
            self._buffer.feed(chunk)
        return z.decode_from_zygote(data)

    def _close_fds(self) -> None:
        while self._fds:
            os.close(self._fds.pop())


def _socket_pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends, neither of which has a standard stream's number.

    Those are free in a host that has closed its streams, and the zygote has its own there.
    """
    ours, theirs = socket.socketpair()
    passed_over: list[socket.socket] = []
    while min(ours.fileno(), theirs.fileno()) <= _LAST_STREAM:
        passed_over += ours, theirs
        ours, theirs = socket.socketpair()
    for each in passed_over:
        each.close()
    return ours, theirs


def _two_pipes() -> tuple[int, int, int, int]:
    """Return both ends of one, then of the other.

    Raises:
        EngineUnavailable: this process can have no more descriptors.
    """
    first: tuple[int, ...] = ()
    try:
        first = os.pipe()
        return (*first, *os.pipe())
    except OSError as error:
        for fd in first:
            os.close(fd)
        raise EngineUnavailable(f"a pair cannot be held: {error}") from error


_zygotes: dict[tuple[tuple[str, ...], tuple[str, ...]], Zygote] = {}
_retired: list[Zygote] = []
_lock = threading.Lock()


def spawn(kind: Kind) -> PairProcess:
    """Fork a pair of this kind, from a zygote that is started for it if there is none.

    Raises:
        EngineUnavailable: no process can be started.
        ConfinementUnavailable: a mechanism that works here has failed.
    """
    try:
        return _zygote(kind).spawn(kind.cpython)
    except ZygoteGoneError:  # somebody ended it; another one serves as well
        pass
    try:
        return _zygote(kind).spawn(kind.cpython)
    except ZygoteGoneError as error:
        raise EngineUnavailable(f"the zygote does not live: {error}") from None


def warm_up(packages: tuple[str, ...] = (), folders: tuple[str, ...] = ()) -> None:
    """Start the zygote, if there is none, and have it load everything."""
    with contextlib.suppress(ZygoteGoneError):
        _zygote(Kind(None, packages, folders)).warm_up()


def _zygote(kind: Kind) -> Zygote:
    key = (kind.packages, kind.folders)
    with _lock:
        found = _zygotes.get(key)
        if found is None or not found.alive:
            if found is not None:
                _retire(found)
            found = _zygotes[key] = Zygote(*key)
        return found


def _retire(zygote: Zygote) -> None:
    """Let go of one that cannot be asked any more."""
    if zygote.ended:
        zygote.close()
    else:
        _retired.append(zygote)  # its pairs may live: they are let end by themselves


def _end_all() -> None:
    for zygote in (*_zygotes.values(), *_retired):
        zygote.close()
    _zygotes.clear()
    _retired.clear()


def _forget_all() -> None:
    """Let go of the parent's zygotes in a forked child, whose lock another thread may have held."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    for zygote in (*_zygotes.values(), *_retired):
        zygote.forget()
    _zygotes.clear()
    _retired.clear()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
