"""The trail of a run that was given up, while its thread is still on its way."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from doublevm import Allow
from doublevm.audit import verify
from doublevm.host.effects import Invoke
from doublevm.host.handlers import Handlers
from doublevm.host.run import HostRun
from doublevm.host.trail import Open, RunEndedError, Trail
from doublevm.wire import frames as f
from doublevm.wire.codec import encode

LIMITS = f.RunLimits(
    timeout=1.0,
    memory=2**26,
    max_tool_calls=10,
    max_output_bytes=1000,
    max_prints=10,
    max_denied=10,
)


def add_note() -> int:
    return 1


def a_run(trail: Trail, number: int = 1) -> HostRun:
    return HostRun(
        f.Run(number, "", encode({}), "monty", False, True, LIMITS),
        Handlers([add_note], None),
        trail,
        buffer=1.0,
        now=time.time,
        clock=time.monotonic,
        on_output=None,
    )


def test_a_handler_begins_while_the_run_lasts() -> None:
    trail = Trail()
    steps = a_run(trail).steps()
    next(steps)
    steps.send(None)
    assert isinstance(steps.send(f.Call(1, 1, "add_note", encode({}), False)), Invoke)
    assert [record.outcome for record in trail.records] == ["pending"]


def test_no_handler_begins_once_the_run_was_given_up() -> None:
    # The driver's thread may have taken a call from the pipe just before time was up.
    trail = Trail()
    run = a_run(trail)
    steps = run.steps()
    next(steps)
    steps.send(None)
    result = run.timed_out()
    with pytest.raises(RunEndedError):
        steps.send(f.Call(1, 1, "add_note", encode({}), False))
    assert result.audit == trail.records == ()


def test_no_handler_of_an_earlier_run_begins_during_the_next() -> None:
    trail = Trail()
    run = a_run(trail)
    steps = run.steps()
    next(steps)
    steps.send(None)
    run.timed_out()
    trail.add(2, Open(1.0, "add_note", {}, Allow(), encode({})))
    with pytest.raises(RunEndedError):
        steps.send(f.Call(1, 1, "add_note", encode({}), False))
    assert [record.run for record in trail.records] == [2]


def test_a_handler_that_ends_just_as_its_run_does() -> None:
    inside = threading.Event()

    class Slow(Open):
        def __setattr__(self, name: str, value: Any) -> None:
            if (name, value) == ("duration", 0.1):
                inside.set()
                time.sleep(0.2)  # long enough for the run to be sealed meanwhile
            super().__setattr__(name, value)

    trail = Trail()
    place = trail.add(1, Slow(1.0, "add_note", {}, Allow(), encode({})))
    handler = threading.Thread(target=trail.ended, args=(place, "returned", 0.1))
    handler.start()
    assert inside.wait(5)
    trail.seal(1)
    handler.join()
    assert [(record.outcome, record.duration) for record in trail.records] == [("returned", 0.1)]
    assert verify(trail.records) is None


def test_a_sealed_record_stays_as_it_is() -> None:
    trail = Trail()
    place = trail.add(1, Open(1.0, "add_note", {}, Allow(), encode({})))
    trail.seal(1)
    sealed = trail.records
    trail.ended(place, "returned", 0.1)
    trail.seal(1)
    assert trail.records == sealed
    assert sealed[0].outcome == "abandoned"
