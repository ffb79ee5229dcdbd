"""Where a run's processes are put: cores given to one run each, pairs moved and let go."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from doublevm.host import cores as module
from doublevm.host.cores import Cores, Lookout, Place, usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

needs_two = pytest.mark.skipif(len(usable_cores()) < 2, reason="needs two cores")

FAMILY = """
import subprocess, sys, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
child = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=0)
child.wait()
"""


@pytest.fixture
def family() -> Iterator[int]:
    """A process with two threads and a child, as a pair has."""
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        assert process.stdin is not None
        process.stdin.close()


def place_of(pid: int) -> Place:
    fake: Any = SimpleNamespace(pid=pid)
    return Place(fake)


def where_all_are(pid: int) -> set[frozenset[int]]:
    threads = list(module._threads(pid))
    assert len(threads) == 3
    return {frozenset(os.sched_getaffinity(thread)) for thread in threads}


def test_a_core_has_one_run_at_a_time() -> None:
    cores, all_of_them = Cores(), usable_cores()
    with cores.one(wanted=True) as first, cores.one(wanted=True) as second:
        if len(all_of_them) > 1:
            assert {first, second} <= all_of_them
            assert first != second
        with cores.one(wanted=False) as unwanted:
            assert unwanted is None
    with cores.one(wanted=True) as again:
        assert again == first


def test_when_every_core_has_a_run_there_is_none_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: frozenset((0, 1)))
    cores = Cores()
    with cores.one(wanted=True), cores.one(wanted=True), cores.one(wanted=True) as third:
        assert third is None


def test_a_run_that_raises_gives_its_core_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: frozenset((0, 1)))
    cores = Cores()
    given: list[int | None] = []

    def fail() -> None:
        with cores.one(wanted=True) as core:
            given.append(core)
            raise ValueError("gone wrong")

    for _ in range(3):
        with pytest.raises(ValueError, match="gone wrong"):
            fail()
    assert None not in given


@pytest.mark.parametrize("there_are", [frozenset(), frozenset((3,))])
def test_with_one_core_there_is_nothing_to_choose(
    monkeypatch: pytest.MonkeyPatch, there_are: frozenset[int]
) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: there_are)
    with Cores().one(wanted=True) as core:
        assert core is None


def test_nothing_is_gathered_where_children_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: frozenset((0, 1)))
    monkeypatch.setattr(module, "_CHILDREN", "/proc/thread-self/nothing")
    with Cores().one(wanted=True) as core:
        assert core is None


def test_what_has_ended_has_no_children() -> None:
    assert module._children(2**22 + 1, "1") == []


@needs_two
def test_a_pair_is_gathered_and_let_go(family: int) -> None:
    place, everywhere = place_of(family), usable_cores()
    core = min(everywhere)
    place.gather(core)
    assert where_all_are(family) == {frozenset((core,))}
    place.let_go()
    assert where_all_are(family) == {everywhere}
    place.gather(core)
    place.gather(None)
    assert where_all_are(family) == {everywhere}


@needs_two
def test_a_thread_is_there_while_it_waits_and_nowhere_else(family: int) -> None:
    place, everywhere = place_of(family), usable_cores()
    core = min(everywhere)
    place.gather(core)
    for _ in range(2):
        with place:
            assert usable_cores() == {core}
        assert usable_cores() == everywhere
    with place:
        other = threading.Thread(target=place.let_go)
        other.start()
        other.join()
    assert usable_cores() == everywhere
    with place:
        assert usable_cores() == everywhere


def test_a_pair_that_cannot_be_moved_is_waited_for_anywhere() -> None:
    place, everywhere = place_of(2**22 + 1), usable_cores()
    place.gather(min(everywhere, default=0))
    with place:
        assert usable_cores() == everywhere
    place.let_go()


class Clock:
    now = 100.0


def test_a_guest_that_computes_is_let_go_once(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    monkeypatch.setattr(Clock, "now", 100.0)
    place: Any = SimpleNamespace(let_go=lambda: let_go.append(Clock.now))
    lookout = Lookout(place, 1)

    def after(seconds: float) -> None:
        Clock.now += seconds
        lookout.look()

    after(lookout.patience / 2)  # too early
    lookout.heard = 1
    after(lookout.patience)
    lookout.heard = 2  # a handler takes its time
    after(lookout.patience)
    after(lookout.patience)
    assert not let_go
    lookout.heard = 3
    after(lookout.patience)
    after(lookout.patience)
    assert len(let_go) == 1
    assert lookout.patience == float("inf")


def test_one_that_is_not_gathered_is_not_looked_after() -> None:
    lookout = Lookout(place_of(1), None)
    assert lookout.patience == float("inf")
    lookout.look()
