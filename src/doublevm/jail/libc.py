"""The one place that calls the C library: what fails becomes OSError."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Final

from doublevm.jail.syscalls import this_machine

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long


def prctl(option: int, *values: int) -> int:
    """Change or ask an attribute of this process; what is not given is 0, as many options demand.

    Raises:
        OSError: the kernel refused.
    """
    padded = [*values, 0, 0, 0, 0][:4]
    result = int(_LIBC.prctl(option, *(ctypes.c_ulong(value) for value in padded)))
    return _checked(f"prctl({option})", result)


def syscall(name: str, *arguments: Any) -> int:
    """Make a system call by name, with integers, bytes, None, or what ctypes passes.

    Raises:
        OSError: the kernel refused, or has no such system call.
        UnsupportedMachineError: the number is not known on this machine.
    """
    number = this_machine().numbers[name]
    if number is None:
        raise OSError(f"there is no system call {name} on this machine")
    words = (ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments)
    return _checked(name, int(_LIBC.syscall(ctypes.c_long(number), *words)))


def _checked(what: str, result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
