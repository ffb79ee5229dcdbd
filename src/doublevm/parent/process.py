"""The process of a parent VM: two descriptors to its host, and nothing else from it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from doublevm.engines.cpython import CPythonEngine
from doublevm.engines.monty import MontyEngine
from doublevm.engines.monty_types import MontyTypes
from doublevm.engines.template import fork_template
from doublevm.jail.identity import forbid_inspection, lower_priority
from doublevm.jail.rlimits import memory_in_use
from doublevm.jail.seal import confine_for_start, enter_namespaces, seal_parent, take_files_away
from doublevm.parent.pipe import HostGoneError, HostPipe
from doublevm.parent.runs import ParentVM
from doublevm.parent.types import TypeCheck
from doublevm.parent.watchdog import Watchdog
from doublevm.wire.frames import VERSION, Configure, FrameError, Ready, Unconfined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doublevm.confinement import Confinement
    from doublevm.engines.base import Engine
    from doublevm.wire.frames import EngineName


def be_parent_vm(
    read_fd: int,
    write_fd: int,
    confinement: Confinement,
    packages: tuple[Sequence[str], Sequence[str]] | None,
) -> NoReturn:
    """Serve one host until it hangs up.

    Args:
        read_fd: what the host sends.
        write_fd: what it is sent.
        confinement: the mechanisms that work here.
        packages: what its template has to load, and the folders where that is found; None if no
            guest is to run on cpython.
    """
    forbid_inspection()
    lower_priority()
    status = 0
    try:
        _serve(HostPipe(read_fd, write_fd), confinement, packages)
    except HostGoneError:
        status = 1
    except FrameError:
        status = 2
    os._exit(status)


def _serve(
    host: HostPipe,
    confinement: Confinement,
    packages: tuple[Sequence[str], Sequence[str]] | None,
) -> None:
    template = None
    try:
        # First: it is to have nothing in its memory that the host tells this process.
        if packages is not None:
            template = fork_template(confinement.in_force, *packages)
        configure = host.receive()
        assert isinstance(configure, Configure)
        monty = _monty(configure, confinement)
        engines: dict[EngineName, Engine] = {}
        if monty is not None:
            engines["monty"] = monty
        if template is not None:
            engines["cpython"] = CPythonEngine(template)
        watchdog = Watchdog(host.read_fd)
        types = _types(configure, watchdog)
        parent = ParentVM(host, watchdog, engines, configure, confinement, types)
        workers = [monty, types.worker if types else None]
        _begin([worker for worker in workers if worker is not None], watchdog, confinement)
    except OSError as error:
        host.send(Unconfined(str(error)))
        return
    host.send(Ready(VERSION, dict(confinement.missing), tuple(engines)))
    try:
        parent.serve()
    finally:
        for engine in engines.values():
            engine.close()
        if types is not None:
            types.worker.close()


def _monty(configure: Configure, confinement: Confinement) -> MontyEngine | None:
    """Make the monty engine, if it is wanted and confined well enough."""
    weakest = configure.engines.get("monty")
    if weakest is None or confinement.rung < weakest:
        return None
    return MontyEngine(
        configure.monty_binary, configure.memory, frozen_clock=configure.frozen_clocks
    )


def _types(configure: Configure, watchdog: Watchdog) -> TypeCheck | None:
    """Make the type checker, if types are to be checked."""
    guard = configure.guard
    if guard is None or guard.stubs is None:
        return None
    worker = MontyTypes(configure.monty_binary, configure.memory)
    return TypeCheck(worker, guard.stubs, watchdog)


def _begin(workers: list[MontyEngine], watchdog: Watchdog, confinement: Confinement) -> None:
    """Start every process and thread, and seal this one.

    Raises:
        OSError: a mechanism that works here has failed.
    """
    mechanisms, before = confinement.in_force, memory_in_use()
    swap_root = enter_namespaces(mechanisms)
    confine_for_start(mechanisms, [worker.program for worker in workers if worker.program])
    for worker in workers:
        worker.begin()
    take_files_away(mechanisms, swap_root)
    watchdog.start()
    seal_parent(mechanisms, before)
