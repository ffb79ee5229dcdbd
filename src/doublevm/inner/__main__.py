"""The process of a cpython inner VM: a template that is prepared once, and the guests it forks.

Started by the parent VM with two pairs of descriptors: one for its orders, one that each guest in
turn speaks through.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from doublevm.inner.guest import Guest
from doublevm.inner.pipe import ParentGoneError, ParentPipe
from doublevm.inner.preload import preload
from doublevm.inner.template import Template
from doublevm.jail.identity import die_with_parent
from doublevm.jail.rlimits import InUse, memory_in_use
from doublevm.jail.seal import guest_filter, seal_guest, seal_template
from doublevm.wire.inner_frames import Prepared, Start
from doublevm.wire.template_frames import Failed, Fork
from doublevm.wire.template_frames import Prepared as TemplatePrepared

if TYPE_CHECKING:
    from typing import NoReturn

    from doublevm.jail.seccomp import Filter


def main() -> NoReturn:
    """Prepare, then fork guests until the parent VM hangs up."""
    orders, reports, guest_reads, guest_writes, parent = (int(each) for each in sys.argv[1:6])
    die_with_parent(parent)
    template = Template(orders, reports, (guest_reads, guest_writes))
    pipe = ParentPipe(guest_reads, guest_writes)
    mechanisms = [name for name in sys.argv[6].split(",") if name]
    try:
        preload(sys.argv[8:], sys.argv[7].split("\n"))
        ready, before = guest_filter(mechanisms), memory_in_use()
        seal_template(mechanisms, parent)
    # The border to the host's packages, which may fail in any way.
    except Exception as error:  # noqa: BLE001
        name = "" if isinstance(error, ImportError | OSError) else f"{type(error).__name__}: "
        template.send(Failed(f"{name}{error}"))
        os._exit(1)
    # What is there now is never collected, so that forks share its memory.
    gc.collect()
    gc.freeze()
    template.send(TemplatePrepared())
    own = os.getpid()
    template.serve(lambda order: _be_guest(order, pipe, ready, own, before))
    os._exit(0)


def _be_guest(
    order: Fork, pipe: ParentPipe, ready: Filter | None, template: int, before: InUse
) -> NoReturn:
    """Seal this forked process, serve one guest, and end without running what it left behind."""
    seal_guest(ready, template, before, order.memory, order.cpu_seconds)
    try:
        _serve(pipe)
    except (ParentGoneError, BrokenPipeError):
        os._exit(1)
    os._exit(0)


def _serve(pipe: ParentPipe) -> None:
    start: Start = pipe.ask(Prepared())
    guest = Guest(pipe, start.tools)
    while True:
        pipe.send(guest.run(start))
        if not start.keep:
            return
        start = pipe.receive()
