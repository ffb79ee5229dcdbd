"""A VM process that does what it is told instead of what it should.

Started as ``python fake_vm.py READ_FD WRITE_FD STEP...`` in place of a parent VM or of a cpython
inner VM. It knows nothing of doublevm: a step is an action on bytes.

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
import signal
import sys
import time

HEADER = 4


def main() -> None:
    read_fd, write_fd = int(sys.argv[1]), int(sys.argv[2])
    for step in sys.argv[3:]:
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
