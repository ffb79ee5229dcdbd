"""The floors: what moving bytes between processes, and a fork, cost with nothing built on top.

``EchoChain`` is three processes in a row like those of doublevm: the inner one asks, the middle one
passes it on, this one answers, and back. Plain ``os.read`` and ``os.write`` of one message, nothing
decoded, nothing judged.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, Self

_HEAD: Final = 4
"""A message is its length in four bytes, and that many more."""


class EchoChain:
    """The host's end of the row; ``serve`` answers, ``trips`` asks for so many round trips."""

    def __init__(self) -> None:
        host_reads, middle_up = os.pipe()
        middle_down, self._write = os.pipe()
        middle_reads, inner_writes = os.pipe()
        inner_reads, middle_writes = os.pipe()
        self._read = host_reads
        ends = (host_reads, self._write, middle_up, middle_down)
        more = (middle_reads, middle_writes, inner_reads, inner_writes)
        self._middle = _forked(
            lambda: _relay((middle_down, middle_up), (middle_reads, middle_writes)),
            (middle_down, middle_up, middle_reads, middle_writes),
        )
        self._inner = _forked(lambda: _ask(inner_reads, inner_writes), (inner_reads, inner_writes))
        for descriptor in {*ends, *more} - {host_reads, self._write}:
            os.close(descriptor)

    def trips(self, times: int, size: int) -> float:
        """Return the seconds of one of so many trips of so many bytes, from the inner one and back.

        A first message tells the inner process what to send; its last one says that it is done, so
        that never two are on their way.
        """
        send(self._write, b"%d %d" % (times, size))
        began = perf_counter()
        for _ in range(times):
            send(self._write, receive(self._read))
        receive(self._read)
        took = perf_counter() - began
        return took / times

    def close(self) -> None:
        """End both processes."""
        os.close(self._write)
        os.close(self._read)
        for pid in (self._middle, self._inner):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End both processes."""
        self.close()


def fork_to_result() -> tuple[float, float]:
    """Return the seconds from a fork to the child's one byte, and until the child is reaped."""
    read, write = os.pipe()
    began = perf_counter()
    pid = os.fork()
    if pid == 0:
        os.write(write, b"2")
        os._exit(0)
    os.read(read, 1)
    result = perf_counter() - began
    os.waitpid(pid, 0)
    reaped = perf_counter() - began
    os.close(read)
    os.close(write)
    return result, reaped


def send(descriptor: int, message: bytes) -> None:
    """Write one message."""
    data = memoryview(len(message).to_bytes(_HEAD, "little") + message)
    while data:
        data = data[os.write(descriptor, data) :]


def receive(descriptor: int) -> bytes:
    """Read one message; nothing else is ever on its way."""
    data = os.read(descriptor, 65536)
    if not data:
        raise EOFError
    size = int.from_bytes(data[:_HEAD], "little") + _HEAD
    if len(data) == size:
        return data[_HEAD:]
    parts, missing = [data], size - len(data)
    while missing:
        parts.append(os.read(descriptor, min(missing, 2**20)))
        missing -= len(parts[-1])
    return b"".join(parts)[_HEAD:]


def _forked(job: Callable[[], NoReturn], keep: tuple[int, ...]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        # Nothing but its own ends: or nobody would see the others hang up.
        for entry in sorted(int(each.name) for each in Path("/proc/self/fd").iterdir()):
            if entry > 2 and entry not in keep:  # noqa: PLR2004 - the standard streams
                _close(entry)
        job()
    except (EOFError, BrokenPipeError):
        os._exit(0)
    finally:
        os._exit(1)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:  # the one that listed the folder
        return


def _relay(upper: tuple[int, int], lower: tuple[int, int]) -> NoReturn:
    """Pass on what to do, then each message up and its answer down."""
    while True:
        order = receive(upper[0])
        send(lower[1], order)
        for _ in range(int(order.split()[0])):
            send(upper[1], receive(lower[0]))
            send(lower[1], receive(upper[0]))
        send(upper[1], receive(lower[0]))


def _ask(reads: int, writes: int) -> NoReturn:
    while True:
        times, size = (int(part) for part in receive(reads).split())
        message = b"x" * size
        for _ in range(times):
            send(writes, message)
            receive(reads)
        send(writes, b"done")
