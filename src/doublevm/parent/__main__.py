"""The process of a parent VM: two descriptors to its host, and nothing else from it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from doublevm.engines.cpython import CPythonEngine
from doublevm.engines.monty import MontyEngine
from doublevm.jail.identity import forbid_inspection, lower_priority
from doublevm.parent.pipe import HostGoneError, HostPipe
from doublevm.parent.runs import ParentVM
from doublevm.parent.watchdog import Watchdog
from doublevm.wire.frames import VERSION, Configure, EngineName, FrameError, Ready

if TYPE_CHECKING:
    from doublevm.engines.base import Engine


def main() -> NoReturn:
    """Serve one host until it hangs up."""
    read_fd, write_fd = (int(argument) for argument in sys.argv[1:3])
    # They came by inheritance; the inner VM must not inherit them in turn.
    os.set_inheritable(read_fd, False)  # noqa: FBT003
    os.set_inheritable(write_fd, False)  # noqa: FBT003
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
    engines = _engines(configure)
    for engine in engines.values():
        engine.begin()
    watchdog = Watchdog(host.read_fd)
    host.send(Ready(VERSION))
    try:
        ParentVM(host, watchdog, engines, configure).serve()
    finally:
        for engine in engines.values():
            engine.close()


def _engines(configure: Configure) -> dict[EngineName, Engine]:
    # The template first: the kernel gives the first child of a new pid namespace a special part,
    # which ends all others when it ends, and the template lives as long as the pair.
    made: dict[EngineName, Engine] = {}
    if "cpython" in configure.engines:
        made["cpython"] = CPythonEngine(configure.packages)
    if "monty" in configure.engines:
        made["monty"] = MontyEngine(configure.monty_binary)
    return made
