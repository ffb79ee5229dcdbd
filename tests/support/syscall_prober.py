"""Makes system calls under a filter and says what came of each: a program for tests of filters.

Reads a table's name and batches of (number, arguments) as JSON, and forks a confined child for
each batch. Answers with a list for each: 0 or an errno per call, and how the child ended, if it did
not come to its last call.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import sys

from doublevm.jail import filters
from doublevm.jail.seccomp import Filter

TELLTALE = 4000
"""An errno that the kernel has no use for: it comes from the filter."""

SECONDS = 20
Call = tuple[int, list[int]]
Outcome = list[int | str]


def run(table: str, calls: list[Call]) -> Outcome:
    read_fd, write_fd = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        try:
            _call_all(table, calls, write_fd)
        finally:
            os._exit(99)
    os.close(write_fd)
    with open(read_fd, "rb") as answers:  # noqa: PTH123 - a descriptor has no path
        found: Outcome = [number for (number,) in struct.iter_unpack("i", answers.read())]
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return found if len(found) == len(calls) else [*found, f"ended with {code}"]


def _call_all(table: str, calls: list[Call], write_fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    itself = os.getpid()
    Filter(getattr(filters, table), refuse_with=TELLTALE).install()
    for number, arguments in calls:
        result = libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(each) for each in arguments))
        if os.getpid() != itself:  # it was a fork
            os._exit(0)
        os.write(write_fd, struct.pack("i", ctypes.get_errno() if result == -1 else 0))


def _become_a_stranger() -> None:
    if os.geteuid() == 0:
        uid = 1_900_000_000 + os.getpid()
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


if __name__ == "__main__":
    _become_a_stranger()
    request = json.load(sys.stdin)
    json.dump([run(request["table"], batch) for batch in request["batches"]], sys.stdout)
