"""Who follows a trail sees every entry once, whatever becomes of its files meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from doublevm import ConfigError
from doublevm.audit import Attempt, JsonlSink
from doublevm.host.sinks.following import Follower, follow_trail
from tests.audit.making import attempt, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def numbers(follower: Follower) -> list[int]:
    return [entry.number for _, entry in follower.news() if isinstance(entry, Attempt)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trail.jsonl"


@pytest.fixture
def following(path: Path) -> Iterator[tuple[JsonlSink, Follower]]:
    with JsonlSink(path, max_bytes=1_000) as sink:
        follower = follow_trail(path)
        yield sink, follower
        follower.close()


def test_what_comes_is_seen_once(tmp_path: Path, kind: str) -> None:
    with opened(kind, tmp_path) as sink:
        sink.write([attempt(1), attempt(2)])
        follower = follow_trail(sink.path)
        assert numbers(follower) == [1, 2]
        assert numbers(follower) == []
        sink.write([attempt(3)])
        assert numbers(follower) == [3]
        late = follow_trail(sink.path)
        assert late.skip() == 4
        assert numbers(late) == []
        sink.write([attempt(4)])
        assert numbers(late) == numbers(follower) == [4]
        late.close()
    follower.close()


def test_over_many_files(following: tuple[JsonlSink, Follower]) -> None:
    sink, follower = following
    seen = []
    for number in range(1, 41):
        sink.write([attempt(number)])
        if number % 7 == 0:
            seen += numbers(follower)
    assert seen + numbers(follower) == list(range(1, 41))
    assert len(list(sink.path.parent.glob("trail.*.jsonl"))) > 5


def test_a_file_that_is_deleted_while_it_is_read(following: tuple[JsonlSink, Follower]) -> None:
    sink, follower = following
    sink.write([attempt(1)])
    assert numbers(follower) == [1]
    for number in range(2, 8):
        sink.write([attempt(number)])
    first, *_ = sorted(sink.path.parent.glob("trail.*.jsonl"))
    first.unlink()
    assert numbers(follower) == [2, 3, 4, 5, 6, 7], "it was open, so nothing of it is lost"


def test_half_a_line_is_not_read_before_it_is_whole(path: Path) -> None:
    with JsonlSink(path) as sink:
        sink.write([attempt(1)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    follower = follow_trail(path)
    assert numbers(follower) == [1]
    assert numbers(follower) == []
    with JsonlSink(path) as sink:  # cuts it off
        sink.write([attempt(2)])
    assert numbers(follower) == [2]
    follower.close()


def test_what_is_no_entry(tmp_path: Path, kind: str) -> None:
    with opened(kind, tmp_path) as sink:
        sink.write([attempt(1)])
    if kind == "jsonl":
        sink.path.write_text(sink.path.read_text().replace('"allow"', '"maybe"'))
    else:
        with closing(sqlite3.connect(sink.path)) as connection:
            connection.execute("UPDATE links SET entry = replace(entry, 'allow', 'maybe')")
            connection.commit()
    with (
        closing(follow_trail(sink.path)) as follower,
        pytest.raises(ValueError, match=r"trail\.(jsonl|sqlite)"),
    ):
        numbers(follower)


def test_there_is_no_trail(path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no trail"):
        follow_trail(path)
