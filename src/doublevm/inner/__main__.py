"""The process of a cpython inner VM: prepare, wait for a program, seal, run.

Started by the parent VM with two descriptors as arguments. Until the first Start frame it has run
nothing of the guest's.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from doublevm.inner.guest import Guest
from doublevm.inner.pipe import ParentGoneError, ParentPipe
from doublevm.inner.preload import preload
from doublevm.jail.identity import die_with_parent, forbid_inspection, take_own_uid
from doublevm.jail.rlimits import forbid_new_resources, limit_cpu, limit_memory
from doublevm.wire.inner_frames import Prepared, Start

if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Serve one guest, then end without running anything the guest may have left behind."""
    read_fd, write_fd, parent = (int(argument) for argument in sys.argv[1:4])
    pipe = ParentPipe(read_fd, write_fd)
    die_with_parent(parent)
    preload()
    gc.collect()
    try:
        _serve(pipe, parent)
    except (ParentGoneError, BrokenPipeError):
        os._exit(1)
    os._exit(0)


def _serve(pipe: ParentPipe, parent: int) -> None:
    start: Start = pipe.ask(Prepared())
    seal(start, parent)
    guest = Guest(pipe, start.tools)
    while True:
        limit_cpu(start.cpu_seconds)
        pipe.send(guest.run(start))
        if not start.keep:
            return
        start = pipe.receive()


def seal(start: Start, parent: int) -> None:
    """Give up what the guest must not have, in the order that works.

    The uid goes first, while it still may be changed; it clears the parent-death signal, which is
    set again; the limits go last, as the steps before need files.
    """
    take_own_uid()
    die_with_parent(parent)
    forbid_inspection()
    limit_memory(start.memory)
    forbid_new_resources()
