"""The cpython engine's processes, held by the parent VM: a template and the guest it forked."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from typing import TYPE_CHECKING, Final

from doublevm.engines.base import EngineDiedError, EngineStartError
from doublevm.launch import python_command
from doublevm.wire.frames import encode_frame
from doublevm.wire.framing import FrameBuffer, pack
from doublevm.wire.template_frames import Ended, Failed, Fork, Kill, decode_from_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import msgspec

ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""numpy's libraries would each start a thread for every core as they are imported, and a fork has
none but the thread that forked."""

GOODBYE_SECONDS: Final = 0.3
"""How long a template has to end once its pipes are closed."""

_CHUNK: Final = 65536


class TemplateProcess:
    """A template and four pipes: two for orders and reports, two that its guests speak through."""

    def __init__(
        self,
        module: str,
        mechanisms: Sequence[str],
        packages: Sequence[str],
        folders: Sequence[str],
    ) -> None:
        """Start it. It prepares itself while the caller goes on.

        Raises:
            EngineStartError: the process cannot be started.
        """
        self.read_fd, guest_writes = os.pipe()
        guest_reads, self.write_fd = os.pipe()
        self.reports_fd, reports = os.pipe()
        orders, self._orders_fd = os.pipe()
        self._buffer = FrameBuffer()
        self._prepared = False
        self.ended: Ended | None = None
        """How the last guest ended, once it has."""
        theirs = (orders, reports, guest_reads, guest_writes)
        told = (os.getpid(), ",".join(mechanisms), "\n".join(folders), *packages)
        environment = ENVIRONMENT if packages else {}
        try:
            self._process = _start(python_command(module, *theirs, *told), theirs, environment)
        except OSError as error:
            self._close_pipes()
            raise EngineStartError(f"the cpython engine cannot start: {error}") from error
        finally:
            for fd in theirs:
                os.close(fd)
        os.set_blocking(self.write_fd, False)

    def fork(self, memory: int, cpu_seconds: int) -> None:
        """Have a guest forked, once the template is prepared.

        Raises:
            EngineStartError: the template could not be prepared.
            EngineDiedError: the template is gone.
        """
        while not self._prepared:
            self._report()
        self.ended = None
        self._order(Fork(memory, cpu_seconds))

    def kill_guest(self) -> None:
        """Have the guest killed. From any thread, more than once."""
        with contextlib.suppress(BrokenPipeError):  # it is gone, and its guest with it
            os.write(self._orders_fd, pack(encode_frame(Kill())))

    def end_guest(self) -> Ended:
        """Kill the guest if it has not ended, and return how it did.

        Raises:
            EngineDiedError: the template is gone.
        """
        if self.ended is None:
            self.kill_guest()
        while self.ended is None:
            self._report()
        self._drain()
        return self.ended

    def read(self) -> bytes:
        """Return what the guest sent next.

        Raises:
            EngineDiedError: nothing is left and the guest has ended, or the template is gone.
        """
        while True:
            waiting = [self.read_fd] if self.ended else [self.read_fd, self.reports_fd]
            ready = select.select(waiting, [], [], 0 if self.ended else None)[0]
            # What it had sent before its end comes first.
            if self.read_fd in ready:
                if data := os.read(self.read_fd, _CHUNK):
                    return data
                raise EngineDiedError(self._own_last_words())
            if self.ended is not None:
                raise EngineDiedError(_last_words(self.ended))
            self._report()

    def write(self, data: bytes) -> None:
        """Send bytes to the guest.

        Raises:
            EngineDiedError: the guest has ended, or the template is gone.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self.write_fd, rest) :]
            except BlockingIOError:
                self._wait_for_room()
            except BrokenPipeError:
                raise EngineDiedError(self._own_last_words()) from None

    def readable(self) -> bool:
        """Whether the guest has sent something, or has ended."""
        return bool(select.select([self.read_fd, self.reports_fd], [], [], 0)[0])

    def close(self) -> None:
        """End the template by hanging up; its guest dies with it.

        It has a uid of its own and cannot be killed from here. Should it not end, its host will do
        that together with this process.
        """
        self._close_pipes()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GOODBYE_SECONDS)

    # --- orders and reports -------------------------------------------------------------------

    def _order(self, frame: msgspec.Struct) -> None:
        try:
            os.write(self._orders_fd, pack(encode_frame(frame)))
        except BrokenPipeError:
            raise EngineDiedError(self._own_last_words()) from None

    def _report(self) -> None:
        """Wait for the template's next report and take note of it."""
        while (data := self._buffer.take()) is None:
            chunk = os.read(self.reports_fd, _CHUNK)
            if not chunk:
                raise EngineDiedError(self._own_last_words())
            self._buffer.feed(chunk)
        match decode_from_template(data):
            case Failed(message=message):
                raise EngineStartError(f"the cpython engine cannot start: {message}")
            case Ended() as ended:
                self.ended = ended
            case _:
                self._prepared = True

    def _wait_for_room(self) -> None:
        ready = select.select([self.reports_fd], [self.write_fd], [])[0]
        if ready:
            self._report()
        if self.ended is not None:
            raise EngineDiedError(_last_words(self.ended))

    def _drain(self) -> None:
        """Throw away what the guest has sent and nobody read: the next one's would follow it."""
        while select.select([self.read_fd], [], [], 0)[0]:
            if not os.read(self.read_fd, _CHUNK):
                return

    def _own_last_words(self) -> str:
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "the cpython inner VM closed its pipes"
        return f"the cpython inner VM {_how(status)}"

    def _close_pipes(self) -> None:
        for fd in (self.read_fd, self.write_fd, self.reports_fd, self._orders_fd):
            os.close(fd)


def _start(
    command: list[str], fds: tuple[int, ...], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        pass_fds=fds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
    )


def _last_words(ended: Ended) -> str:
    return f"the cpython inner VM {_how(ended.status)}"


def _how(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
