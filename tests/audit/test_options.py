"""What all sinks have in common: being full, being required, and being a function."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ConfigError, Enclave
from doublevm.audit import (
    Attempt,
    CallableSink,
    Dropped,
    JsonlSink,
    OpenTelemetrySink,
    Sink,
    SqliteSink,
    read_trail,
    verify_trail,
)
from tests.audit.making import attempt, ended, opened

if TYPE_CHECKING:
    from pathlib import Path

    from doublevm.host.sinks.entries import AnyEntry


class Slow:
    """A function that waits until it is let go on."""

    def __init__(self) -> None:
        self.go_on, self.reached = threading.Event(), threading.Event()
        self.entries: list[AnyEntry] = []

    def __call__(self, entry: AnyEntry) -> None:
        self.reached.set()
        self.go_on.wait(60)
        self.entries.append(entry)


def test_nobody_waits_for_one_that_drops() -> None:
    slow = Slow()
    sink = CallableSink(slow, on_full="drop_and_count", capacity=3)
    assert not sink.blocking
    sink.write([attempt(1)])
    assert slow.reached.wait(60)
    for number in range(2, 10):  # three of them wait, and five find no room
        sink.write([attempt(number)])
    assert sink.dropped == 5
    slow.go_on.set()
    sink.close()
    kept = [entry.number for entry in slow.entries if isinstance(entry, Attempt)]
    assert kept == [1, 2, 3, 4]
    assert [entry.count for entry in slow.entries if isinstance(entry, Dropped)] == [5]


def test_the_twin_one_that_blocks_drops_nothing() -> None:
    slow = Slow()
    sink = CallableSink(slow, capacity=1)
    assert sink.blocking
    writer = threading.Thread(target=lambda: [sink.write([attempt(n)]) for n in range(9)])
    writer.start()
    assert slow.reached.wait(60)
    slow.go_on.set()
    writer.join(60)
    assert (len(slow.entries), sink.dropped) == (9, 0)


def test_what_fails_later_is_counted() -> None:
    def fail(_: AnyEntry) -> None:
        raise OSError

    sink = CallableSink(fail, on_full="drop_and_count")
    sink.write([attempt(1), ended(1)])
    sink.close()
    assert sink.dropped == 2
    with pytest.raises(RuntimeError, match="closed"):
        sink.write([attempt(2)])
    sink.close()


def test_async_functions_may_drop_too() -> None:
    kept: list[AnyEntry] = []

    async def keep(entry: AnyEntry) -> None:
        kept.append(entry)

    sink = CallableSink(keep, on_full="drop_and_count")
    sink.write([attempt(1)])
    sink.close()
    assert kept == [attempt(1)]


def test_a_trail_with_gaps_says_so(kind: str, tmp_path: Path) -> None:
    sink = opened(kind, tmp_path, required=False, on_full="drop_and_count", capacity=2)
    with sink._lock:  # as if the disk took its time
        sink.write([attempt(1)])
        deadline = time.monotonic() + 60
        while sink._backlog is not None and sink._backlog._waiting and time.monotonic() < deadline:
            time.sleep(0.01)
        for number in range(2, 8):
            sink.write([attempt(number)])
    sink.close()
    found = verify_trail(sink.path)
    assert found.ok, found.faults
    assert (found.attempts, found.dropped) == (3, 4)


def test_a_gap_at_the_very_end_is_told_too(kind: str, tmp_path: Path) -> None:
    sink = opened(kind, tmp_path, required=False, on_full="drop_and_count", capacity=2)
    with sink._lock:
        sink.write([attempt(1), ended(1)])
        sink.write([attempt(number) for number in range(2, 6)])
        assert sink.dropped == 4
    sink.close()
    found = verify_trail(sink.path)
    assert found.ok, found.faults
    assert (found.attempts, found.dropped) == (1, 4)


def test_a_forked_child_has_a_thread_of_its_own() -> None:
    read, write = os.pipe()
    sink = CallableSink(lambda _: os.write(write, b"!"), on_full="drop_and_count")
    sink.write([attempt(1)])
    child = os.fork()
    if child == 0:
        try:
            sink.write([attempt(2)])
            sink.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    sink.close()
    os.close(write)
    assert os.read(read, 10) == b"!!"
    os.close(read)


def hello() -> str:
    return "hello"


def test_an_enclave_does_not_wait_for_one_that_drops() -> None:
    slow = Slow()
    sink = CallableSink(slow, on_full="drop_and_count")
    with Enclave(tools=[hello], audit=sink, engine="monty") as enclave:
        assert enclave.run("hello()").value == "hello"
    assert slow.entries == []
    slow.go_on.set()
    sink.close()
    assert len(slow.entries) == 3


def test_required_and_dropping_is_a_contradiction(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="contradicts required=True"):
        opened(kind, tmp_path, on_full="drop_and_count")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_full": "wait"}, "on_full must be 'block' or 'drop_and_count', not 'wait'"),
        ({"programs": "yes"}, "programs must be True or False, not 'yes'"),
        ({"required": 1}, "required must be True or False, not 1"),
        ({"capacity": 0}, "capacity must be a whole number of at least 1, not 0"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        CallableSink(print, **options)
    assert str(raised.value) == message


def test_what_is_required_by_itself(tmp_path: Path) -> None:
    with JsonlSink(tmp_path / "a") as one, SqliteSink(tmp_path / "b") as other:
        assert one.required
        assert other.required
    assert not CallableSink(print).required
    assert not OpenTelemetrySink().required
    assert not SqliteSink(tmp_path / "b", required=False).required


def test_ours_are_sinks(tmp_path: Path) -> None:
    with JsonlSink(tmp_path / "a") as sink:
        for each in (sink, CallableSink(print), OpenTelemetrySink()):
            assert isinstance(each, Sink)


def test_a_function_is_needed() -> None:
    with pytest.raises(ConfigError, match="takes a function"):
        CallableSink(None)  # type: ignore[arg-type]


def test_many_threads_may_write(kind: str, tmp_path: Path) -> None:
    with opened(kind, tmp_path, checkpoint_every=10) as sink:
        threads = [
            threading.Thread(
                target=lambda n=n: [sink.write([attempt(i, enclave=str(n))]) for i in range(50)]
            )
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = verify_trail(sink.path)
    assert found.ok, found.faults
    assert found.attempts == 200
    assert len(list(read_trail(sink.path).operations())) == 200
