"""What native probes are written with: sent as text in front of each, as no process has this file.

It needs what every VM process has loaded, ``ctypes`` above all. The names in capitals below are
facts about the driver, filled in by ``native_source.py``.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mmap.restype = ctypes.c_void_p

NUMBERS: dict[str, int] = {}  # filled in: the system calls that the probe names
SECRET = b"/tmp/canary/secret"
MARK = b"/tmp/canary/mark"
FOLDER = b"/tmp/canary"
AT_FDCWD = -100
KEPT: list[Any] = []  # what the kernel has been given the address of
trace: list[str] = []


def call(name: str | int, *arguments: Any) -> int:
    """Make a system call; return its result, or the negative errno."""
    number = NUMBERS[name] if isinstance(name, str) else name
    words = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    KEPT.extend(words)
    ctypes.set_errno(0)
    return noted(libc.syscall(ctypes.c_long(number), *words))


def noted(result: int) -> int:
    """Turn -1 and errno into the negative errno, and note it."""
    if result != -1:
        trace.append("ok")
        return result
    number = ctypes.get_errno()
    trace.append(errno.errorcode.get(number, str(number)))
    return -number


def works(name: str | int, *arguments: Any) -> bool:
    """Whether a system call succeeds."""
    return call(name, *arguments) >= 0


def reached(name: str | int, *arguments: Any) -> bool:
    """Whether the kernel has looked at a call at all: it succeeds or its arguments are wrong."""
    refused = (errno.EPERM, errno.ENOENT, errno.ENOSYS, errno.EACCES, errno.EMFILE, errno.EAGAIN)
    return -call(name, *arguments) not in refused


def buffer(content: bytes | int) -> Any:
    """Return memory with this content, or so many zeros."""
    made = ctypes.create_string_buffer(content, content if isinstance(content, int) else None)
    KEPT.append(made)
    return made


def at(memory: Any) -> int:
    """Return the address of a buffer."""
    return ctypes.addressof(memory)


def content(fd: int, size: int = 4096) -> bytes:
    """Read from a descriptor, if it is one."""
    if fd < 0:
        return b""
    memory = buffer(size)
    got = call("read", fd, memory, size)
    return bytes(memory.raw[: max(got, 0)])


def opened(path: bytes, flags: int = 0, mode: int = 0o600) -> int:
    """Open a file."""
    return call("openat", AT_FDCWD, path, flags, mode)


def file(path: bytes) -> bytes:
    """Read the beginning of a file."""
    return content(opened(path))


def mapped(size: int, protection: int, flags: int, fd: int = -1) -> int:
    """Map memory; return its address, or 0."""
    result = call("mmap", 0, size, protection, flags, fd, 0)
    return max(0, result)


def machine_code(code: bytes) -> int:
    """Return the address of machine code: of a page made before the seal, or else of a new one."""
    address = PAGE or mapped(4096, 7, 0x22)
    if address:
        ctypes.memmove(address, code, len(code))
    return address


def jump(address: int, *arguments: int) -> int:
    """Call the machine code."""
    kind = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_long for _ in arguments])
    return int(kind(address)(*arguments))


def forked(pid: int) -> bool:
    """Whether a process has been started; it ends at once."""
    if pid == 0:
        libc._exit(0)
    if pid > 0:
        call("wait4", pid, None, 0x40000000, None)
    return pid > 0


def iovec(address: int, size: int) -> Any:
    """Return a ``struct iovec``."""
    return buffer(struct.pack("QQ", address, size))


def inet(port: int, family: int = 2) -> bytes:
    """Return the address of a port of 127.0.0.1."""
    return struct.pack("=H", family) + struct.pack("!H4s8x", port, b"\x7f\0\0\1")


def unix(path: bytes) -> bytes:
    """Return the address of a unix socket."""
    return struct.pack("=H", 1) + path


def outcome(through: object) -> str:
    """Say how it went: ``yes`` or ``no``, evidence as hex digits, and what the kernel answered."""
    evidence = through.hex() if isinstance(through, bytes) else ""
    return f"{'yes' if through else 'no'}_{evidence}_{'_'.join(trace[-6:])}"


# --- facts, filled in ------------------------------------------------------------------------

HOST = 0  # the driver's pid
SECRET_AT = 0  # where it holds the secret
TARGET_AT = 0  # where it holds something to be overwritten
SECRET_FD = 0  # its descriptor of the secret file
PAGE = 0  # machine code can be written here, if this is not 0
SHM = 0  # id of a System V segment with the secret
TCP = UDP = 0
