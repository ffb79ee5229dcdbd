"""A VM process that does what it is told instead of what it should.

Started as ``python fake_vm.py READ_FD WRITE_FD STEP...`` in place of a parent VM, or as
``python fake_vm.py template ORDERS_FD REPORTS_FD READ_FD WRITE_FD STEP...`` in place of a template,
whose guest does the steps. It knows nothing of doublevm: a step is an action on bytes.

read          wait for one whole frame
write:HEX     write these bytes
flood:HEX     write these bytes again and again, until nobody reads
pause         let what was written arrive by itself
exit          end
hang          do nothing for ever

After the last step it reads until the other side hangs up.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HEADER = 4


def main() -> None:
    if sys.argv[1] == "template":
        orders, reports, read_fd, write_fd = (int(each) for each in sys.argv[2:6])
        be_template(orders, reports, lambda: follow(read_fd, write_fd, sys.argv[6:]))
    else:
        follow(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])


def be_template(orders: int, reports: int, be_guest: Callable[[], None]) -> None:
    """Fork a guest at the first order, kill it at the second, report its end."""
    report(reports, b"\x91\xb1template_prepared")
    take(orders, int.from_bytes(take(orders, HEADER), "big"))
    guest = os.fork()
    if guest == 0:
        try:
            be_guest()
        finally:
            os._exit(0)
    while True:
        pid, status = os.waitpid(guest, os.WNOHANG)
        if pid:
            break
        if select.select([orders], [], [], 0.002)[0]:
            if not os.read(orders, 4096):
                os.kill(guest, signal.SIGKILL)
                return
            os.kill(guest, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status)
    report(
        reports, b"\x94\xabended_guest\xd2" + struct.pack(">i", code) + b"\xcb" + bytes(8) + b"\0"
    )
    while os.read(orders, 4096):
        pass


def report(fd: int, data: bytes) -> None:
    write(fd, len(data).to_bytes(HEADER, "big") + data)


def follow(read_fd: int, write_fd: int, steps: Sequence[str]) -> None:
    for step in steps:
        action, _, data = step.partition(":")
        if action == "read":
            size = int.from_bytes(take(read_fd, HEADER), "big")
            take(read_fd, size)
        elif action == "write":
            write(write_fd, bytes.fromhex(data))
        elif action == "flood":
            while True:
                write(write_fd, bytes.fromhex(data) * 1000)
        elif action == "pause":
            time.sleep(0.1)
        elif action == "exit":
            return
        elif action == "hang":
            signal.pause()
    while os.read(read_fd, 65536):
        pass


def take(fd: int, size: int) -> bytes:
    """Return exactly so many bytes; end if the other side has hung up."""
    data = b""
    while len(data) < size:
        part = os.read(fd, size - len(data))
        if not part:
            sys.exit()
        data += part
    return data


def write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except BrokenPipeError:
        sys.exit()


if __name__ == "__main__":
    main()
