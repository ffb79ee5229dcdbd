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
from doublevm.jail.identity import die_with_parent, forbid_inspection, take_own_uid
from doublevm.jail.rlimits import data_in_use, forbid_new_resources, limit_cpu, limit_data
from doublevm.wire.inner_frames import Prepared, Start
from doublevm.wire.template_frames import Failed, Fork
from doublevm.wire.template_frames import Prepared as TemplatePrepared

if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Prepare, then fork guests until the parent VM hangs up."""
    orders, reports, guest_reads, guest_writes, parent = (int(each) for each in sys.argv[1:6])
    die_with_parent(parent)
    template = Template(orders, reports, guest_reads)
    pipe = ParentPipe(guest_reads, guest_writes)
    try:
        preload(sys.argv[6:])
    except ImportError as error:
        template.send(Failed(str(error)))
        os._exit(1)
    _seal_template(parent)
    base = data_in_use()
    # What is there now is never collected, so that forks share its memory.
    gc.collect()
    gc.freeze()
    template.send(TemplatePrepared())
    own = os.getpid()
    template.serve(lambda order: _be_guest(order, pipe, base, own))
    os._exit(0)


def _seal_template(parent: int) -> None:
    """Give up what neither template nor guests must have, in the order that works.

    The uid goes first, while it still may be changed; it clears the parent-death signal, which is
    set again.
    """
    take_own_uid()
    die_with_parent(parent)
    forbid_inspection()


def _be_guest(order: Fork, pipe: ParentPipe, base: int, template: int) -> NoReturn:
    """Seal this forked process, serve one guest, and end without running what it left behind."""
    die_with_parent(template)
    limit_data(base + order.memory)
    if order.cpu_seconds:
        limit_cpu(order.cpu_seconds)
    forbid_new_resources()
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
