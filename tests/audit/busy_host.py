"""A host program to be killed: ``python busy_host.py KIND TRAIL EFFECTS DRIVER``.

Its tool leaves a line in the file EFFECTS for each call, and its guests call it all the time.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import uuid
from typing import Any

from doublevm import AsyncEnclavePool, DoubleVM, EnclavePool, Limits, ParentValidation
from doublevm.audit import JsonlSink
from tests.audit.making import KINDS

AT_ONCE = 2
CALM = ParentValidation(max_operations_per_second=1_000_000, block_suspicious_sequences=False)
PROGRAM = """
for i in range(200):
    act(ids[i])
"""


LAZY = "lazy"
AT_LEAST = 30


class Lazy:
    """The control: a sink that keeps what it has been given once it is worth the trouble."""

    required, blocking = True, True

    def __init__(self, trail: str) -> None:
        self._kept, self._lock = JsonlSink(trail), threading.Lock()
        self._waiting: list[Any] = []

    def write(self, entries: Any) -> None:
        with self._lock:
            self._waiting += entries
            if len(self._waiting) >= AT_LEAST:
                self._kept.write(self._waiting)
                self._waiting = []


def options(trail: str, effects: str, kind: str) -> dict[str, Any]:
    file = os.open(effects, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    ready = threading.Event()
    sink = Lazy(trail) if kind == LAZY else KINDS[kind](trail, checkpoint_every=50)

    def act(name: str) -> None:
        os.write(file, f"{name}\n".encode())
        if not ready.is_set():
            ready.set()
            print("ready", flush=True)  # noqa: T201 - a script's output

    return {
        "tools": [act],
        "engine": "monty",
        "limits": Limits(max_tool_calls=1000, timeout=60),
        "double_vm": DoubleVM(parent_validation=CALM),
        "audit": sink,
        "min_workers": AT_ONCE,
        "max_workers": AT_ONCE,
    }


def inputs() -> dict[str, Any]:
    return {"ids": [uuid.uuid4().hex for _ in range(200)]}


def sync(given: dict[str, Any]) -> None:
    with EnclavePool(**given) as pool:

        def work() -> None:
            while True:
                pool.run(PROGRAM, inputs=inputs()).unwrap()

        workers = [threading.Thread(target=work) for _ in range(AT_ONCE)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


async def concurrently(given: dict[str, Any]) -> None:
    async with AsyncEnclavePool(**given) as pool:

        async def work() -> None:
            while True:
                (await pool.run(PROGRAM, inputs=inputs())).unwrap()

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))


if __name__ == "__main__":
    kind, trail, effects, driver = sys.argv[1:]
    given = options(trail, effects, kind)
    if driver == "sync":
        sync(given)
    else:
        asyncio.run(concurrently(given))
