"""The template: a prepared process that forks each guest, and has never run one's code.

A fork is a fresh interpreter in a millisecond. The template waits for the parent VM's orders and
for its guest's end at the same time; that is all it does.
"""

from __future__ import annotations

import os
import select
import signal
from typing import TYPE_CHECKING, NoReturn

from doublevm.jail.identity import close_all_but
from doublevm.wire.frames import encode_frame
from doublevm.wire.framing import FrameBuffer, pack
from doublevm.wire.template_frames import Ended, Fork, Kill, decode_to_template

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

_BROKEN = 70
"""Exit status of a guest's process whose own machinery failed: EX_SOFTWARE of sysexits.h."""


class Template:
    """Forks guests on the parent VM's order, one at a time."""

    def __init__(self, read_fd: int, write_fd: int, guest_fds: tuple[int, int]) -> None:
        """Take the descriptors to the parent VM, and those that guests read from and write to."""
        self._read_fd, self._write_fd, self._guest_fds = read_fd, write_fd, guest_fds
        self._buffer = FrameBuffer()
        self._guest: int | None = None
        # Python's own signal handler writes to this pipe when the guest has ended.
        self._woken_fd, self._wake_fd = os.pipe()
        os.set_blocking(self._wake_fd, False)
        os.set_blocking(self._woken_fd, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake_fd)

    def send(self, frame: msgspec.Struct) -> None:
        """Report to the parent VM."""
        os.write(self._write_fd, pack(encode_frame(frame)))

    def serve(self, be_guest: Callable[[Fork], NoReturn]) -> None:
        """Obey until the parent VM hangs up; ``be_guest`` is called in each guest's process."""
        while True:
            ready = select.select([self._read_fd, self._woken_fd], [], [])[0]
            if self._woken_fd in ready:
                os.read(self._woken_fd, 4096)
                self._reap()
            if self._read_fd in ready:
                data = os.read(self._read_fd, 4096)
                if not data:
                    return
                self._buffer.feed(data)
                while (order := self._buffer.take()) is not None:
                    self._obey(decode_to_template(order), be_guest)

    def _obey(self, order: Fork | Kill, be_guest: Callable[[Fork], NoReturn]) -> None:
        if isinstance(order, Fork):
            self._drain()
            self._guest = os.fork()
            if self._guest == 0:
                self._become(order, be_guest)
        elif self._guest is not None:
            os.kill(self._guest, signal.SIGKILL)

    def _become(self, order: Fork, be_guest: Callable[[Fork], NoReturn]) -> NoReturn:
        """Be the guest's process: nothing of the template's may be in its reach."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            close_all_but((0, 1, 2, *self._guest_fds))
            be_guest(order)
        finally:  # whatever happens, this process is not another template
            os._exit(_BROKEN)

    def _reap(self) -> None:
        if self._guest is None:
            return
        pid, status, usage = os.wait4(self._guest, os.WNOHANG)
        if pid == 0:
            return
        self._guest = None
        cpu = usage.ru_utime + usage.ru_stime
        self.send(Ended(os.waitstatus_to_exitcode(status), cpu, usage.ru_maxrss * 1024))

    def _drain(self) -> None:
        """Throw away what the last guest was sent and never read: the next one must not.

        Now, not when the last one ended: its parent VM may have gone on writing until it was told.
        """
        reads, _ = self._guest_fds
        while select.select([reads], [], [], 0)[0]:
            if not os.read(reads, 65536):
                return
