"""The floors, as contenders."""

from __future__ import annotations

import gc
import importlib
import time
from contextlib import ExitStack
from statistics import median
from threading import Barrier, Thread
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks import floor, procfs
from benchmarks.contenders.base import CannotError, Contender
from benchmarks.measures import CROWD_CALLS, PAUSE

if TYPE_CHECKING:
    from benchmarks.scenarios import Scenario


class Python(Contender):
    """Programs run by this process, as they are: what CPython itself takes for them."""

    cold = "print(1 + 1)"

    def run(self, source: str) -> Any:
        """Execute it."""
        namespace: dict[str, Any] = {"echo": lambda value: value}
        exec(source, namespace)  # noqa: S102 - programs of our own
        return namespace["result"]


class Fork(Contender):
    """A child that says one byte and ends, of a process that has loaded what a template has."""

    cold = ""

    def __init__(self) -> None:
        """Load that: the more pages a process has, the longer its fork takes."""
        import doublevm.inner.process  # noqa: F401, PLC0415
        from doublevm.inner.preload import IMPORTED_LATE  # noqa: PLC0415
        from doublevm.module_lists import HARMLESS_MODULES  # noqa: PLC0415

        for name in (*IMPORTED_LATE, *HARMLESS_MODULES):
            importlib.import_module(name)
        gc.collect()
        gc.freeze()

    def measure(self, scenario: Scenario) -> float:
        """Return the seconds until the byte, or until the child is reaped."""
        if scenario.kind == "fresh":
            taken = []
            for _ in range(scenario.times):
                time.sleep(PAUSE)
                taken.append(floor.fork_to_result()[0])
            return median(taken)
        if scenario.kind == "rate":
            began = perf_counter()
            for _ in range(scenario.times):
                floor.fork_to_result()
            return (perf_counter() - began) / scenario.times
        raise CannotError("a fork calls nothing")


class Echo(Contender):
    """Round trips along a row of three processes."""

    cold = ""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._chain: floor.EchoChain | None = None

    def measure(self, scenario: Scenario) -> float:
        """Return the seconds of a round trip."""
        if scenario.kind == "crowd":
            return self._crowd(scenario.times)
        if scenario.kind not in {"calls", "whole", "gather", "share"}:
            raise CannotError("an echo runs nothing")
        if self._chain is None:
            self._chain = floor.EchoChain()
        self._chain.trips(scenario.times // 10 + 1, scenario.size)  # to warm up
        if scenario.kind == "share":
            return self._share(self._chain, scenario)
        return self._chain.trips(scenario.times, scenario.size)

    @staticmethod
    def _share(chain: floor.EchoChain, scenario: Scenario) -> float:
        watch = procfs.CpuWatch()
        chain.trips(scenario.times, scenario.size)
        return watch.taken(scenario.program) / scenario.times

    def _crowd(self, size: int) -> float:
        with ExitStack() as stack:
            chains = [stack.enter_context(floor.EchoChain()) for _ in range(size)]
            start = Barrier(size + 1)

            def one(chain: floor.EchoChain) -> None:
                start.wait()
                chain.trips(CROWD_CALLS, 1)

            threads = [Thread(target=one, args=(chain,)) for chain in chains]
            for thread in threads:
                thread.start()
            start.wait()
            began = perf_counter()
            for thread in threads:
                thread.join()
            return (perf_counter() - began) / size

    def close(self) -> None:
        """End its processes."""
        if self._chain is not None:
            self._chain.close()
            self._chain = None
