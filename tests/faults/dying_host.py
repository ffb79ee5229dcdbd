"""A host program for tests that end it: ``python dying_host.py DRIVER ENGINE STATE END``.

It brings an enclave into a state, prints "ready", and ends as it is told or waits to be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from typing import Literal, NoReturn

from doublevm import AsyncEnclave, Enclave, Limits, VMError

PROGRAMS = {
    "computing": "print('go')\nwhile True: pass",
    "calling": "busy()",
    "waiting": "import asyncio\nprint('go')\nawait asyncio.sleep(90)",
    "sleeping": "import time\nprint('go')\ntime.sleep(90)",
}


def ready(*_: object) -> None:
    print("ready", flush=True)  # noqa: T201 - a script's output


def busy() -> None:
    ready()
    time.sleep(90)


def limits() -> Limits:
    return Limits(timeout=80)


def end(how: str) -> NoReturn:
    ready()
    if how == "raises":
        raise RuntimeError("the host's own mistake")
    if how == "killed":
        time.sleep(90)
    sys.exit()


def sync(engine: Literal["monty", "cpython"], state: str, how: str) -> None:
    enclave = Enclave(tools=[busy], engine=engine, limits=limits())
    if state == "idle":
        enclave.run("1")
        end(how)
    if state == "in a session":
        enclave.session().__enter__().run("kept = 1")
        end(how)
    if how == "killed":
        enclave.run(PROGRAMS[state], on_output=ready)
    # The run goes on in a thread that nobody waits for while the main thread ends.
    under_way = threading.Event()

    def run() -> None:
        with contextlib.suppress(VMError):  # its enclave ends with the host
            enclave.run(PROGRAMS[state], on_output=lambda *_: under_way.set())

    threading.Thread(target=run, daemon=True).start()
    under_way.wait(60)
    end(how)


async def asynchronous(engine: Literal["monty", "cpython"], state: str, how: str) -> None:
    enclave = AsyncEnclave(tools=[busy], engine=engine, limits=limits())
    if state == "idle":
        await enclave.run("1")
        end(how)
    if state == "in a session":
        await (await enclave.session().__aenter__()).run("kept = 1")
        end(how)
    if how == "killed":
        await enclave.run(PROGRAMS[state], on_output=ready)
    under_way = asyncio.Event()
    run = asyncio.create_task(enclave.run(PROGRAMS[state], on_output=lambda *_: under_way.set()))
    await under_way.wait()
    del run
    end(how)


if __name__ == "__main__":
    os.umask(0o077)
    driver, engine_name, state_name, ending = sys.argv[1:]
    chosen: Literal["monty", "cpython"] = "monty" if engine_name == "monty" else "cpython"
    if driver == "sync":
        sync(chosen, state_name, ending)
    else:
        asyncio.run(asynchronous(chosen, state_name, ending))
