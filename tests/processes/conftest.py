from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import Enclave, tool
from tests.support.procfs import Process, descendants, inner_vms, parent_vms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doublevm import RunResult


@dataclass
class Pause:
    """A run that waits inside of a tool call."""

    parent: Process
    inner: Process
    everything: list[Process]

    @property
    def usage(self) -> set[str]:
        """Files that tell the parent VM how much its monty worker has used: /proc may be gone."""
        files = {f"/{self.inner.pid}/{name}" for name in ("stat", "status")}
        return files | {f"/proc{file}" for file in files}


@contextlib.contextmanager
def holding(engine: str, **options: Any) -> Iterator[Pause]:
    """Start a run and hold it in the middle."""
    reached: queue.Queue[list[Process]] = queue.Queue()
    go_on = threading.Event()
    before = {process.pid for process in descendants()}

    @tool
    def hold() -> int:
        reached.put([p for p in descendants() if p.pid not in before])
        go_on.wait(60)
        return 1

    results: list[RunResult] = []
    with Enclave(tools=[hold], engine=engine, **options) as enclave:
        runner = threading.Thread(target=lambda: results.append(enclave.run("hold()")))
        runner.start()
        everything = reached.get(timeout=60)
        (parent,) = [p for p in parent_vms() if p.pid not in before]
        (inner,) = [p for p in inner_vms() if p.pid not in before]
        yield Pause(parent, inner, everything)
        go_on.set()
        runner.join()
    assert results[0].value == 1


@pytest.fixture(params=["monty", "cpython"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def paused() -> Iterator[Callable[..., Pause]]:
    """Return a function that holds a run of an engine until the test's end."""
    with contextlib.ExitStack() as held:
        yield lambda engine, **options: held.enter_context(holding(engine, **options))


@pytest.fixture
def pause(paused: Callable[..., Pause], engine: str) -> Pause:
    """A run of the engine, held in the middle."""
    return paused(engine)
