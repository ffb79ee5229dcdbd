"""The process of a parent VM: two descriptors to its host, and nothing else from it."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import msgspec

from doublevm.confinement import Confinement
from doublevm.engines.cpython import CPythonEngine
from doublevm.engines.monty import MontyEngine
from doublevm.jail.identity import forbid_inspection, lower_priority
from doublevm.jail.probe import probe
from doublevm.jail.rlimits import memory_in_use
from doublevm.jail.seal import confine_for_start, seal_parent, take_files_away
from doublevm.parent.late import load_what_is_loaded_late
from doublevm.parent.pipe import HostGoneError, HostPipe
from doublevm.parent.runs import ParentVM
from doublevm.parent.watchdog import Watchdog
from doublevm.wire.frames import VERSION, Configure, FrameError, Ready, Unconfined

if TYPE_CHECKING:
    from doublevm.engines.base import Engine
    from doublevm.wire.frames import EngineName


def main() -> NoReturn:
    """Serve one host until it hangs up."""
    read_fd, write_fd = (int(argument) for argument in sys.argv[1:3])
    # They came by inheritance; the inner VM must not inherit them in turn.
    os.set_inheritable(read_fd, False)  # noqa: FBT003
    os.set_inheritable(write_fd, False)  # noqa: FBT003
    # A host may ignore it, which is inherited; here it matters how children end.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    forbid_inspection()
    lower_priority()
    status = 0
    try:
        _serve(HostPipe(read_fd, write_fd))
    except HostGoneError:
        status = 1
    except FrameError:
        status = 2
    os._exit(status)


def _serve(host: HostPipe) -> None:
    configure = host.receive()
    assert isinstance(configure, Configure)
    if configure.missing is None:
        configure = msgspec.structs.replace(configure, missing=probe())
    missing = configure.missing or {}
    confinement = Confinement(missing)
    engines = _engines(configure, confinement)
    watchdog = Watchdog(host.read_fd)
    parent = ParentVM(host, watchdog, engines, configure)
    try:
        _begin(engines, watchdog, confinement)
    except OSError as error:
        host.send(Unconfined(str(error)))
        return
    host.send(Ready(VERSION, dict(missing), tuple(engines)))
    try:
        parent.serve()
    finally:
        for engine in engines.values():
            engine.close()


def _engines(configure: Configure, confinement: Confinement) -> dict[EngineName, Engine]:
    """Make the engines that are wanted, and confined well enough."""
    made: dict[EngineName, Engine] = {}
    for name, weakest in configure.engines.items():
        if confinement.rung < weakest:
            continue
        made[name] = (
            CPythonEngine(confinement.in_force, configure.packages, configure.folders)
            if name == "cpython"
            else MontyEngine(configure.monty_binary)
        )
    return made


def _programs(monty: Engine | None) -> list[str]:
    return [monty.program] if isinstance(monty, MontyEngine) and monty.program else []


def _begin(engines: dict[EngineName, Engine], watchdog: Watchdog, confinement: Confinement) -> None:
    """Start every process and thread, and seal this one.

    The template is started first: it is Python and needs files, of which nothing is left to what is
    started after the first confinement.

    Raises:
        OSError: a mechanism that works here has failed.
    """
    load_what_is_loaded_late()
    mechanisms, before = confinement.in_force, memory_in_use()
    if "cpython" in engines:
        engines["cpython"].begin()
    monty = engines.get("monty")
    confine_for_start(mechanisms, _programs(monty))
    if monty is not None:
        monty.begin()
    take_files_away(mechanisms)
    watchdog.start()
    seal_parent(mechanisms, before)
