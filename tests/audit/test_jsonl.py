"""The file of JSON Lines: rotation, what a killed host leaves behind, and who else may write."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ConfigError
from doublevm.audit import Filter, JsonlSink, Opened, read_trail, verify_trail
from doublevm.host.sinks import jsonl
from doublevm.host.sinks.entries import decode_entry
from doublevm.host.sinks.pairing import Pairing
from tests.audit.making import attempt, ended

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trail.jsonl"


def fill(path: Path, count: int = 3, **options: Any) -> None:
    with JsonlSink(path, **options) as sink:
        for number in range(1, count + 1):
            sink.write([attempt(number)])
            sink.write([ended(number)])


def test_what_is_no_entry_ends_the_reading(path: Path) -> None:
    fill(path)
    good = path.read_text()
    for bad in ('"outcome":"won"', '"kind":"else"', "x"):
        path.write_text(good.replace('"outcome":"returned"', bad, 1))
        with pytest.raises(ValueError, match="no entry"):
            list(read_trail(path).operations())


def numbers(path: Path) -> list[int]:
    return [each.number for each in read_trail(path).operations()]


def test_a_line_is_canonical_json(path: Path) -> None:
    fill(path, 1)
    for line in path.read_text().splitlines():
        assert line == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"))


def test_nobody_else_may_read_it(path: Path) -> None:
    fill(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_opened_again_it_goes_on(path: Path) -> None:
    fill(path)
    fill(path)
    found = verify_trail(path)
    assert found.ok, found.faults
    assert found.attempts == 6


def test_cut_off_at_any_byte_it_is_readable_and_goes_on(path: Path) -> None:
    """What a kill -9 in the middle of a write leaves, at every byte of the last three lines."""
    fill(path, 2)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for size in range(len(b"".join(lines[:-3])), len(whole) + 1):
        path.write_bytes(whole[:size])
        before = verify_trail(path)
        assert before.ok, before.faults
        left = whole[:size].rpartition(b"\n")[2]
        assert before.torn == bool(left)
        list(read_trail(path).operations())
        with JsonlSink(path) as sink:
            sink.write([attempt(9)])
        after = verify_trail(path)
        assert after.ok, after.faults
        assert not after.torn
        again = path.read_bytes().splitlines()[before.entries]
        entry = decode_entry(json.dumps(json.loads(again)["entry"]))
        assert isinstance(entry, Opened)
        assert entry.torn == len(left)


def test_cut_off_in_its_first_line_it_begins_anew(path: Path) -> None:
    path.write_bytes(b'{"entry":{"fo')
    fill(path, 1)
    found = verify_trail(path)
    assert found.ok, found.faults


@pytest.mark.parametrize(
    "text", [b"hello\n", b"{}\n", b"\n", b'{"entry":{},"hash":"","previous":"","seq":1}\n']
)
def test_what_is_no_trail_is_not_continued(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    with pytest.raises(ConfigError, match="cannot be continued"):
        JsonlSink(path)
    assert path.read_bytes() == text
    path.unlink()
    fill(path)  # nothing of the first try is left locked


@pytest.mark.parametrize("text", [b"hello", b"hello\nworld", b'{"entry":1', b"x" * 200_000])
def test_nothing_is_cut_off_what_is_no_trail(path: Path, text: bytes) -> None:
    """A last line without its newline is that of any file until it is known to be a trail's."""
    path.write_bytes(text)
    with pytest.raises(ConfigError, match="cannot be continued"):
        JsonlSink(path)
    assert path.read_bytes() == text


@pytest.mark.parametrize("named", ["trail.jsonl", "trail.jsonl.lock"])
def test_a_link_is_not_followed(path: Path, named: str) -> None:
    elsewhere = path.with_name("elsewhere")
    path.with_name(named).symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="is no plain file"):
        JsonlSink(path)
    assert not elsewhere.exists()
    path.with_name(named).unlink()
    fill(path)


def test_what_keeps_nothing_is_refused(path: Path) -> None:
    path.mkdir()
    for place in (path, "/dev/null"):
        with pytest.raises(ConfigError, match="is no plain file"):
            JsonlSink(place)


def test_a_trail_whose_last_entry_was_changed_is_not_continued(path: Path) -> None:
    fill(path)
    path.write_bytes(path.read_bytes().replace(b'"number":3', b'"number":4'))
    text = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(text[:-1]))  # without the checkpoint behind it
    with pytest.raises(ConfigError, match="cannot be continued"):
        JsonlSink(path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened: No such file"):
        JsonlSink(tmp_path / "none" / "trail.jsonl")


def test_it_rotates_by_size(path: Path) -> None:
    fill(path, 30, max_bytes=2000)
    pieces = jsonl.jsonl_pieces(path)
    assert len(pieces) > 3
    assert [piece.name for piece in pieces[:2]] == ["trail.000001.jsonl", "trail.000002.jsonl"]
    assert pieces[-1] == path
    assert all(piece.stat().st_size < 3000 for piece in pieces)
    found = verify_trail(path)
    assert found.ok, found.faults
    assert numbers(path) == list(range(1, 31))


def test_every_piece_says_which_trail_it_is_of(path: Path) -> None:
    fill(path, 10, max_bytes=1000)
    names = set()
    for piece in jsonl.jsonl_pieces(path):
        first = json.loads(piece.read_text().splitlines()[0])["entry"]
        assert first["kind"] == "opened"
        names.add(first["trail"])
    assert len(names) == 1


def test_it_rotates_by_day(path: Path) -> None:
    fill(path, 1)
    yesterday = time.time() - 86_400
    os.utime(path, (yesterday, yesterday))
    fill(path, 1)
    assert len(jsonl.jsonl_pieces(path)) == 1, "the control: only when asked for"
    os.utime(path, (yesterday, yesterday))
    with JsonlSink(path, daily=True) as sink:
        assert len(jsonl.jsonl_pieces(path)) == 2
        sink.write([attempt(2)])
        sink._day = jsonl._day(yesterday)  # as if it had been open since
        sink.write([attempt(3)])
        sink.write([attempt(4)])
    assert len(jsonl.jsonl_pieces(path)) == 3
    assert verify_trail(path).ok


def test_a_new_piece_that_cannot_be_begun_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with JsonlSink(path, max_bytes=300) as sink:
        sink.write([attempt(1)])
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", full)
            for _ in range(2):
                with pytest.raises(OSError, match="No space"):
                    sink.write([attempt(2)])
        sink.write([attempt(3)])
    assert verify_trail(path).ok
    assert numbers(path) == [1, 3]


def test_an_operation_that_ends_in_the_next_piece_has_its_outcome(path: Path) -> None:
    with JsonlSink(path, max_bytes=300) as sink:
        sink.write([attempt(1)])
        sink.write([attempt(2)])
        sink.write([ended(2)])
        sink.write([ended(1)])
    assert len(jsonl.jsonl_pieces(path)) > 2
    assert [each.outcome for each in read_trail(path).operations()] == ["returned"] * 2


def test_one_that_never_ends_keeps_no_other_in_memory(path: Path) -> None:
    with JsonlSink(path) as sink:
        sink.write([attempt(1)])
        for number in (2, 3):
            sink.write([attempt(number), ended(number)])
        sink.write([attempt(4)])
        found = read_trail(path).operations()
        assert next(found).outcome == "unknown"
        path.write_bytes(path.read_bytes() + b"x\n")  # which is reached only by who reads on
        assert [(next(found)).number for _ in range(2)] == [2, 3]
        found.close()  # type: ignore[attr-defined]


def test_what_is_renamed_while_it_is_read_is_read_once(path: Path) -> None:
    with JsonlSink(path, max_bytes=300) as sink:
        sink.write([attempt(1)])
        sink.write([attempt(2)])
        lines = jsonl.jsonl_lines(path)
        seqs = [json.loads(next(lines)[2])["seq"]]
        for number in range(3, 9):
            sink.write([attempt(number)])
            seqs += [json.loads(line)["seq"] for _, _, line in [next(lines)]]
        seqs += [json.loads(line)["seq"] for _, _, line in lines]
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) >= 9


def test_the_other_half_of_a_line_is_no_line(path: Path) -> None:
    """A reader meets it if the writer is at work."""
    fill(path, 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    lines = []
    for _, _, line in jsonl.jsonl_lines(path):
        lines.append(line)
        path.write_bytes(whole)
    assert lines in (
        whole.splitlines(keepends=True),
        [*whole.splitlines(keepends=True)[:-1], lines[-1]],
    )
    assert b"".join(lines) in (whole, whole[:-20])


def test_killed_between_two_pieces_it_goes_on(path: Path) -> None:
    fill(path)
    path.rename(path.with_name("trail.000001.jsonl"))
    assert verify_trail(path).ok
    fill(path)
    path.rename(path.with_name("trail.000002.jsonl"))
    path.touch()
    fill(path)
    found = verify_trail(path)
    assert found.ok, found.faults
    assert found.attempts == 9


def test_old_pieces_may_be_deleted(path: Path) -> None:
    fill(path, 20, max_bytes=1500)
    first, *rest = jsonl.jsonl_pieces(path)
    first.unlink()
    start = json.loads(rest[0].read_text().splitlines()[0])["seq"]
    found = verify_trail(path)
    assert [(fault.kind, fault.seq) for fault in found.faults] == [("cut", 1)]
    assert verify_trail(path, first=start).ok
    fill(path)
    assert verify_trail(path, first=start).ok


def test_a_second_writer_is_refused(path: Path) -> None:
    with JsonlSink(path) as sink:
        with pytest.raises(ConfigError, match="is open for writing already"):
            JsonlSink(path)
        sink.write([attempt()])
    fill(path)
    assert verify_trail(path).ok


OTHER = """
import sys
from doublevm import ConfigError
from doublevm.audit import JsonlSink
try:
    JsonlSink(sys.argv[1])
except ConfigError as error:
    print(error)
"""


def test_a_second_process_is_refused(path: Path) -> None:
    command = [sys.executable, "-c", OTHER, str(path)]
    with JsonlSink(path, max_bytes=500) as sink:
        for number in range(10):  # the lock stays where pieces come and go
            sink.write([attempt(number)])
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "is open for writing already" in done.stdout
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""


def test_a_forked_child_may_not_write_its_parents_file(path: Path) -> None:
    with JsonlSink(path) as sink:
        sink.write([attempt(1)])
        child = os.fork()
        if child == 0:
            refused = 0
            for _ in range(2):
                try:
                    sink.write([attempt(2)])
                except ConfigError:
                    refused += 1
            os._exit(refused)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 2
        sink.write([attempt(3)])
    assert verify_trail(path).ok
    assert numbers(path) == [1, 3]


def test_a_write_that_fails_leaves_no_half_a_line(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def full(fd: int, data: Any) -> int:
        if len(data) > 50:
            return real(fd, bytes(data)[:50])
        raise OSError(errno.ENOSPC, "No space left on device")

    with JsonlSink(path) as sink:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(OSError, match="No space"):
                sink.write([attempt(1)])
        sink.write([attempt(2)])
    assert verify_trail(path).ok
    assert numbers(path) == [2]


def test_if_half_a_line_cannot_be_cut_off_nothing_follows_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    sink = JsonlSink(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        patch.setattr(os, "ftruncate", fail)
        with pytest.raises(OSError, match="Input/output"):
            sink.write([attempt(1)])
    with pytest.raises(Exception, match="can write no more"):
        sink.write([attempt(2)])
    sink.close()
    assert path.read_bytes().count(b"\n") == 1, "no checkpoint either"
    JsonlSink(path).close()  # nothing of it is left locked


def test_what_is_forced_to_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[int] = []
    monkeypatch.setattr(os, "fsync", forced.append)
    with JsonlSink(path) as sink:
        sink.write([attempt(1)])
    assert forced == []
    with JsonlSink(path, sync=True) as sink:
        before = len(forced)
        sink.write([attempt(1)])
        assert len(forced) == before + 1


def release(count: int) -> float:
    """Return the seconds of the processor's that it takes to release so many at once."""
    pairing = Pairing(Filter(), ordered=True)
    for number in range(count):
        assert not list(pairing.take(number, attempt(number)))
    for number in range(1, count):
        assert not list(pairing.take(count + number, ended(number)))
    before = time.process_time()
    assert len(list(pairing.take(2 * count, ended(0)))) == count
    return time.process_time() - before


def test_what_has_waited_for_one_leaves_in_time_in_proportion() -> None:
    """Ten times as many take some ten times as long; with the square of it, more than fifty."""
    assert release(60_000) < 30 * min(release(6_000) for _ in range(3))


def test_closed_it_writes_no_more(path: Path) -> None:
    sink = JsonlSink(path)
    sink.close()
    sink.close()
    with pytest.raises(Exception, match="closed"):
        sink.write([attempt(1)])


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "1"])
def test_wrong_numbers(path: Path, value: Any) -> None:
    for name in ("max_bytes", "checkpoint_every", "capacity"):
        with pytest.raises(ConfigError, match=f"^{name} must be a whole number"):
            JsonlSink(path, **{name: value})
