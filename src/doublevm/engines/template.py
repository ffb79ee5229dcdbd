"""The cpython engine's processes, held by the parent VM: a template and the guest it forked."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from doublevm.engines.base import EngineDiedError, EngineStartError
from doublevm.inner.process import TemplateEnds, be_template
from doublevm.jail.identity import close_all_but
from doublevm.wire.frames import encode_frame
from doublevm.wire.framing import FrameBuffer, pack
from doublevm.wire.template_frames import Ended, Failed, Fork, Kill, decode_from_template

if sys.platform == "linux":
    from doublevm.jail import namespaces

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

GOODBYE_SECONDS: Final = 0.3
"""How long a template has to end once its pipes are closed."""

LAST_WORDS_SECONDS: Final = 5.0
"""How long it may take to end after it has closed its pipes."""
LOOK_AGAIN_SECONDS: Final = 0.002

_BROKEN: Final = 70
"""Exit status of a template whose own machinery failed: EX_SOFTWARE of sysexits.h."""
_CHUNK: Final = 65536


class ParentEnds(NamedTuple):
    """A parent VM's ends of a template's pipes."""

    orders: int
    reports: int
    guest_reads: int
    """What the guest sends is read here."""
    guest_writes: int
    """What it reads is written here."""


def template_pipes() -> tuple[ParentEnds, TemplateEnds]:
    """Return both ends of four pipes: for orders, for reports, and two for the guests."""
    from_guest, guest_writes = os.pipe()
    guest_reads, to_guest = os.pipe()
    from_template, reports = os.pipe()
    orders, to_template = os.pipe()
    ours = ParentEnds(to_template, from_template, from_guest, to_guest)
    return ours, TemplateEnds(orders, reports, guest_reads, guest_writes)


def fork_template(
    mechanisms: Sequence[str], packages: Sequence[str], folders: Sequence[str]
) -> TemplateProcess:
    """Fork a template of this process, which has everything in its memory that this one has.

    Args:
        mechanisms: what confines it.
        packages: modules to import beside the standard ones.
        folders: where those are found.

    Raises:
        OSError: the kernel refused.
    """
    ours, theirs = template_pipes()
    apart = "namespaces" in mechanisms
    parent = 0 if apart else os.getpid()
    pid = namespaces.fork_with_own_pids() if apart else os.fork()
    if pid == 0:
        try:
            close_all_but((0, 1, 2, *theirs))
            be_template(theirs, parent, mechanisms, packages, folders)
        finally:  # whatever happens, this process is not another parent VM
            os._exit(_BROKEN)
    for fd in theirs:
        os.close(fd)
    return TemplateProcess(pid, ours)


class TemplateProcess:
    """A template and our ends of its pipes."""

    def __init__(self, pid: int, ends: ParentEnds) -> None:
        """Take it over. It prepares itself while the caller goes on."""
        self._pid = pid
        self._orders_fd, self.reports_fd, self.read_fd, self.write_fd = ends
        self._buffer = FrameBuffer()
        self._prepared = False
        self.ended: Ended | None = None
        """How the last guest ended, once it has."""
        self._status: int | None = None
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

    def has_ended(self) -> bool:
        """Whether the guest is gone, as far as the template has told."""
        if self.ended is None and select.select([self.reports_fd], [], [], 0)[0]:
            self._report()
        return self.ended is not None

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
        self._wait(GOODBYE_SECONDS)

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
        status = self._wait(LAST_WORDS_SECONDS)
        if status is None:
            return "the cpython inner VM closed its pipes"
        return f"the cpython inner VM {_how(status)}"

    def _wait(self, seconds: float) -> int | None:
        """Return how it ended, once it has; None if it has not in time."""
        until = time.monotonic() + seconds
        while self._status is None and time.monotonic() < until:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid == 0:
                time.sleep(LOOK_AGAIN_SECONDS)
            else:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def _close_pipes(self) -> None:
        for fd in (self.read_fd, self.write_fd, self.reports_fd, self._orders_fd):
            os.close(fd)


def _last_words(ended: Ended) -> str:
    return f"the cpython inner VM {_how(ended.status)}"


def _how(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
