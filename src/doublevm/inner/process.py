"""The process of a cpython inner VM: a template that is prepared once, and the guests it forks.

Forked by the parent VM before that knows anything, with two pairs of descriptors: one for orders,
one that each guest in turn speaks through.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, NamedTuple

from doublevm.inner.guest import Guest, rehearse
from doublevm.inner.pipe import ParentGoneError, ParentPipe
from doublevm.inner.preload import preload
from doublevm.inner.template import Template
from doublevm.jail.identity import die_with_parent, name_process
from doublevm.jail.rlimits import InUse, memory_in_use
from doublevm.jail.seal import guest_filter, seal_guest, seal_template
from doublevm.wire.inner_frames import Prepared, Start
from doublevm.wire.template_frames import Failed, Fork
from doublevm.wire.template_frames import Prepared as TemplatePrepared

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from doublevm.jail.seccomp import Filter


class TemplateEnds(NamedTuple):
    """A template's ends of its pipes."""

    orders: int
    reports: int
    guest_reads: int
    guest_writes: int


def be_template(
    ends: TemplateEnds,
    parent: int,
    mechanisms: Sequence[str],
    packages: Sequence[str],
    folders: Sequence[str],
) -> NoReturn:
    """Prepare, then fork guests until the parent VM hangs up.

    Args:
        ends: its descriptors; it has no others.
        parent: the parent VM's pid as it is seen from here.
        mechanisms: what confines it.
        packages: modules to import beside the standard ones.
        folders: where those are found.
    """
    name_process("dvm-inner")
    die_with_parent(parent)
    template = Template(ends.orders, ends.reports, (ends.guest_reads, ends.guest_writes))
    pipe = ParentPipe(ends.guest_reads, ends.guest_writes)
    try:
        preload(packages, folders)
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
    rehearse(pipe)
    start: Start = pipe.ask(Prepared())
    guest = Guest(pipe, start.tools)
    while True:
        pipe.send(guest.run(start))
        if not start.keep:
            return
        start = pipe.receive()
