"""The process of a zygote: started by the host, which it speaks with through one socket.

It is no fork of the host: it has none of its memory, descriptors or environment. It loads what VMs
need, once, and forks pairs. It runs no guest code and is not confined: nothing but its host can
speak to it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

from doublevm.jail.identity import close_all_but, die_with_parent, forbid_inspection, name_process
from doublevm.jail.probe import probe

if TYPE_CHECKING:
    from typing import NoReturn

    from doublevm.zygote.pairs import Pairs


def main() -> NoReturn:
    """Find out what confines VMs here, then serve the host until it hangs up."""
    fd = int(sys.argv[1])
    os.set_inheritable(fd, False)  # noqa: FBT003
    # A host may ignore it or block it, which is inherited; here it matters how children end.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    name_process("dvm-zygote")
    forbid_inspection()
    missing = probe()
    if "namespaces" not in missing:
        _go_on_as_the_first_of_a_namespace()
    # Late: the process that only waits for this one has none of it in memory.
    from doublevm.zygote.server import Server  # noqa: PLC0415

    server = Server(socket.socket(fileno=fd), _pairs(missing))
    server.serve()
    os._exit(0)


def _pairs(missing: dict[str, str]) -> Pairs:
    from doublevm.zygote.pairs import Pairs  # noqa: PLC0415

    return Pairs(missing, folders=sys.argv[2].split("\n"), packages=sys.argv[3:])


def _go_on_as_the_first_of_a_namespace() -> None:
    """Return in a child that is number 1 there; wait for it here.

    With it ends everything that it has started: the kernel sees to that, whatever they do. It ends
    with the one that waits.
    """
    from doublevm.jail.namespaces import enter_pids  # noqa: PLC0415 - Linux's own

    enter_pids()
    if (pid := os.fork()) != 0:
        close_all_but((0, 1, 2))
        os.waitpid(pid, 0)
        os._exit(0)
    # The host can kill the one that waits, and nobody else of these two.
    die_with_parent(0)
