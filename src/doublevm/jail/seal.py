"""How each VM process confines itself: the mechanisms in the order that works.

Each function takes the mechanisms in force. One of them that fails is an OSError, and the process
must end: it is never left out silently.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from doublevm.jail.identity import (
    allow_inspection,
    die_with_parent,
    drop_capabilities,
    forbid_inspection,
    is_sole,
    take_own_uid,
)
from doublevm.jail.rlimits import (
    forbid_new_resources,
    limit_cpu,
    limit_data,
    limit_memory,
    limit_processes,
)

if sys.platform == "linux":
    from doublevm.jail import filters, landlock, namespaces, seccomp

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from doublevm.jail.rlimits import InUse

LOADERS: Final = ("/lib64/ld-linux-*.so.*", "/lib/ld-linux-*.so.*", "/lib/ld-musl-*.so.*")
LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
"""What a program needs in order to be loaded."""

PARENT_DATA: Final = 512 * 1024 * 1024
"""Bytes a parent VM may take beyond what it has when it is sealed: its history and frames have caps
of their own and stay far below."""


def enter_namespaces(mechanisms: Collection[str]) -> Callable[[], None]:
    """Move a parent VM into namespaces of its own; return what takes its files away later.

    First of all, while it may still do so.
    """
    return namespaces.enter() if "namespaces" in mechanisms else _keep_the_root


def confine_for_start(mechanisms: Collection[str], programs: Collection[str]) -> None:
    """Confine a parent VM that still has to start a worker, which inherits all of it.

    ``programs`` are the only ones that can be executed from now on.
    """
    take_own_uid()  # while it still may be changed
    if "namespaces" in mechanisms:
        drop_capabilities()
    # A process that has changed its uid may not look at its own descriptors in /proc, and the
    # worker is executed through one of them.
    allow_inspection()
    if "landlock" in mechanisms:
        read = [path for path in (*LIBRARIES, "/proc") if Path(path).exists()]
        landlock.restrict(read, [*programs, *_loaders()] if programs else [])
    if "seccomp" in mechanisms:
        seccomp.install(filters.STARTING)


def take_files_away(mechanisms: Collection[str], swap_root: Callable[[], None]) -> None:
    """Leave a parent VM whose worker runs no file, not even those that tell what the worker uses.

    ``swap_root`` is what ``enter_namespaces`` returned; it is the worker's root folder as well.

    Its later threads inherit this; the worker and the threads of its client have what
    ``confine_for_start`` left them.
    """
    if "landlock" in mechanisms:
        # The worker is outside of this domain, and has to be killed now and then.
        landlock.restrict(may_signal=True)
    swap_root()


def seal_parent(mechanisms: Collection[str], before: InUse) -> None:
    """Seal a parent VM whose processes and threads have all been started.

    ``before`` is what ``memory_in_use`` returned while it could still be asked.
    """
    forbid_inspection()
    limit_data(before, PARENT_DATA)
    forbid_new_resources()
    if "seccomp" in mechanisms:
        seccomp.install(filters.PARENT)


def seal_template(mechanisms: Collection[str], parent: int) -> None:
    """Seal a template: from now on it can fork, and nothing else.

    ``parent`` is the parent VM's pid, or 0 if that is outside of its namespace of pids. The change
    of uid clears the parent-death signal, so that is set after it.
    """
    own = take_own_uid()
    die_with_parent(parent)
    if "namespaces" in mechanisms:
        namespaces.enter_empty_root()
    if "landlock" in mechanisms:
        landlock.restrict()
    forbid_inspection()
    forbid_new_resources(processes=True)
    if own is not None and is_sole(own):
        limit_processes(2)  # itself and its guest, as nobody else has this uid
    if "seccomp" in mechanisms:
        seccomp.install(filters.TEMPLATE)


def guest_filter(mechanisms: Collection[str]) -> seccomp.Filter | None:
    """Return the filter of guests, ready to be installed."""
    return seccomp.ready(filters.GUEST) if "seccomp" in mechanisms else None


def seal_guest(
    ready: seccomp.Filter | None, template: int, before: InUse, memory: int, cpu_seconds: int
) -> None:
    """Seal a guest that has just been forked from its template, and has all of its confinement.

    Args:
        ready: what ``guest_filter`` returned.
        template: its pid as the guest sees it.
        before: what its template had when it was sealed.
        memory: bytes that the process may have beyond it.
        cpu_seconds: CPU it may burn; 0 sets no limit.
    """
    die_with_parent(template)
    limit_memory(before, memory)
    if cpu_seconds:
        limit_cpu(cpu_seconds)
    forbid_new_resources()
    if ready is not None:
        ready.install()


def _keep_the_root() -> None:
    """Do nothing, where there are no namespaces."""


def _loaders() -> list[str]:
    return [str(path) for pattern in LOADERS for path in Path("/").glob(pattern.lstrip("/"))]
