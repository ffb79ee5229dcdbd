"""A template, guests and parent VMs that run probes, with any choice of mechanisms in force.

Test-only, and run inside of the outer jail alone. What seals are the functions of
``doublevm.jail.seal``, called as the VM processes call them; a mechanism that they have no choice
about is left out by replacing the one function that it consists of.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import sys
from typing import TYPE_CHECKING, Any, Final

from doublevm.inner import template as inner_template
from doublevm.inner.preload import preload
from doublevm.inner.template import Template
from doublevm.jail import namespaces, seal
from doublevm.jail.identity import close_all_but, die_with_parent
from doublevm.jail.rlimits import memory_in_use
from doublevm.wire.template_frames import Failed, Prepared
from tests.attacks.native_source import PRELUDE

if TYPE_CHECKING:
    from types import CodeType
    from typing import NoReturn

    from doublevm.wire.template_frames import Fork

READY: Final = b"!"
SECRET: Final = "/tmp/canary/secret"  # noqa: S105, S108 - of the outer jail
_WRITABLE_CODE: Final = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC


def main() -> NoReturn:
    """Do as ``doublevm.inner.process`` does, up to where a guest's program would begin."""
    orders, reports, guest_reads, guest_writes, parent = (int(each) for each in sys.argv[1:6])
    mechanisms, place = sys.argv[6].split(","), sys.argv[7]
    if "namespaces" in mechanisms:
        parent = _go_on_as_the_first_of_a_namespace()
    die_with_parent(parent)
    template = Template(orders, reports, (guest_reads, guest_writes))
    preload()
    # Code in memory from before the seal, so that what it does is not stopped by the want of it.
    page = mmap.mmap(-1, 4096, prot=_WRITABLE_CODE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    if "descriptors" not in mechanisms:
        os.open(SECRET, os.O_RDONLY)  # one that nobody closed, nor will
        setattr(inner_template, "close_all_but", lambda _fds: None)  # noqa: B010 - as below
    leave_out(mechanisms)
    prelude = compile(PRELUDE, "prelude", "exec")
    ready, before = seal.guest_filter(mechanisms), memory_in_use()
    try:
        if place != "parent":
            seal.seal_template(mechanisms, parent)
    except OSError as error:
        template.send(Failed(str(error)))
        os._exit(1)
    template.send(Prepared())
    own = os.getpid()

    def be_guest(order: Fork) -> NoReturn:
        if place == "guest":
            seal.seal_guest(ready, own, before, order.memory, order.cpu_seconds)
        elif place == "parent":
            _seal_parent(mechanisms)
        _run(guest_reads, guest_writes, prelude, address)

    template.serve(be_guest)
    os._exit(0)


def leave_out(mechanisms: list[str]) -> None:
    """Replace what seals by nothing, for mechanisms that are always in force otherwise."""
    left_out = {
        "limits": (
            "limit_data",
            "limit_memory",
            "limit_cpu",
            "limit_processes",
            "forbid_new_resources",
        ),
        "uid": ("take_own_uid",),
    }
    for mechanism, names in left_out.items():
        if mechanism not in mechanisms:
            for name in names:
                assert hasattr(seal, name), name
                setattr(seal, name, lambda *_args, **_options: None)
    if len(mechanisms) <= 1:
        # It protects this process, and stops it from nothing.
        setattr(seal, "forbid_inspection", lambda: None)  # noqa: B010 - mypy: no name of its own


def _go_on_as_the_first_of_a_namespace() -> int:
    """Return the parent's pid in a child, which has left it behind as a zygote's children do."""
    namespaces.enter_pids()
    if (pid := os.fork()) != 0:
        close_all_but((0, 1, 2))
        os.waitpid(pid, 0)
        os._exit(0)
    return 0


def _seal_parent(mechanisms: list[str]) -> None:
    before = memory_in_use()
    swap_root = seal.enter_namespaces(mechanisms)
    seal.confine_for_start(mechanisms, [])
    seal.take_files_away(mechanisms, swap_root)
    seal.seal_parent(mechanisms, before)


def _run(read_fd: int, write_fd: int, prelude: CodeType, page: int) -> NoReturn:
    os.write(write_fd, READY)  # the template has thrown away what came before this guest
    (size,) = struct.unpack("=I", os.read(read_fd, 4))
    source = b""
    while len(source) < size:
        source += os.read(read_fd, size - len(source))
    names: dict[str, Any] = {}
    exec(prelude, names)  # noqa: S102 - the purpose
    names["PAGE"] = page
    exec(source.decode(), names)  # noqa: S102 - the purpose
    os.write(write_fd, names["result"].encode())
    os._exit(0)
