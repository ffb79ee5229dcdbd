"""Landlock: what an unprivileged process takes from itself, whatever its filter lets through.

Numbers and structures are those of linux/landlock.h; what they mean is in the kernel's
documentation, "Landlock: unprivileged access control".
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

from doublevm.jail.identity import no_new_privs
from doublevm.jail.libc import syscall
from doublevm.jail.trial import reason_against

if TYPE_CHECKING:
    from collections.abc import Sequence

CREATE_RULESET_VERSION: Final = 1
RULE_PATH_BENEATH: Final = 1

FS_EXECUTE: Final = 1 << 0
FS_READ_FILE: Final = 1 << 2
FS_READ_DIR: Final = 1 << 3

_FS_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 5: 16, 9: 17}
"""From which ABI on there are how many rights on files: refer, truncate, device ioctl and sockets
by path came later."""
_ABI_WITH_TCP: Final = 4
_ABI_WITH_SCOPES: Final = 6
_ABI_WITH_TSYNC: Final = 8

NET_BIND_AND_CONNECT_TCP: Final = 3
SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS: Final = 3
RESTRICT_SELF_TSYNC: Final = 1 << 3


def abi() -> int:
    """Return the version of Landlock that the kernel speaks; 0 where there is none."""
    try:
        return syscall("landlock_create_ruleset", None, 0, CREATE_RULESET_VERSION)
    except OSError:  # not built in, not enabled, refused by a filter, or another system
        return 0


def available() -> str | None:
    """Try it in a child process; return why it is not available, or None if it is."""
    return reason_against(restrict)


def restrict(
    read: Sequence[str] = (), execute: Sequence[str] = (), *, may_signal: bool = False
) -> None:
    """Leave this process of the filesystem what is below these paths, and no way out of itself.

    ``read`` is for files and folders, ``execute`` for programs, which may be read as well. Where
    the kernel knows how: no TCP, no device ioctl, and, unless it ``may_signal``, no signal and no
    abstract unix socket to processes outside. Descriptors that are open stay usable. It holds for
    processes started later; before ABI 8, it covers the calling thread alone.

    Raises:
        OSError: there is no Landlock here, the kernel refused, or a path does not exist.
    """
    version = abi()
    if version == 0:
        raise OSError("there is no Landlock on this kernel")
    rights = _filesystem_rights(version)
    fd = _create_ruleset(version, rights, scoped=not may_signal)
    try:
        for path in read:
            _allow(fd, path, FS_READ_FILE | FS_READ_DIR)
        for path in execute:
            _allow(fd, path, FS_EXECUTE | FS_READ_FILE | FS_READ_DIR)
        no_new_privs()
        tsync = RESTRICT_SELF_TSYNC if version >= _ABI_WITH_TSYNC else 0
        syscall("landlock_restrict_self", fd, tsync)
    finally:
        os.close(fd)


def _filesystem_rights(version: int) -> int:
    """INVARIANT: every right that the kernel knows is handled, and so refused unless allowed."""
    count = max(rights for since, rights in _FS_RIGHTS.items() if since <= version)
    return (1 << count) - 1


def _create_ruleset(version: int, rights: int, *, scoped: bool) -> int:
    """Make ``struct landlock_ruleset_attr``, as long as this ABI knows it."""
    fields = [rights]
    if version >= _ABI_WITH_TCP:
        fields.append(NET_BIND_AND_CONNECT_TCP)
    if version >= _ABI_WITH_SCOPES and scoped:
        fields.append(SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    return syscall("landlock_create_ruleset", attributes, len(attributes), 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    if not Path(path).is_dir():
        rights &= ~FS_READ_DIR  # the kernel refuses rights on files that only folders have
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        # struct landlock_path_beneath_attr is packed: 64 bits of rights, 32 of descriptor
        rule = struct.pack("=Qi", rights, fd)
        syscall("landlock_add_rule", ruleset, RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(fd)
