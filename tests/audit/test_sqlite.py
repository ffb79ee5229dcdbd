"""The database: who may write it, what is found in it, and how."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ConfigError, Enclave
from doublevm.audit import Filter, HmacKey, SqliteSink, read_trail, verify_trail
from doublevm.host.sinks.queries import query
from doublevm.verdict import Deny
from tests.audit.making import attempt, ended
from tests.support.procfs import wait_until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trail.sqlite"


def test_nobody_else_may_read_it(path: Path) -> None:
    with SqliteSink(path) as sink:
        sink.write([attempt()])
        for each in path.parent.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_opened_again_it_goes_on(path: Path) -> None:
    for number in (1, 2):
        with SqliteSink(path) as sink:
            sink.write([attempt(number), ended(number)])
    found = verify_trail(path)
    assert found.ok, found.faults
    assert found.attempts == 2


def test_two_sinks_may_write_one_trail(path: Path) -> None:
    with SqliteSink(path) as one, SqliteSink(path) as other:
        for number in range(1, 20, 2):
            one.write([attempt(number)])
            other.write([attempt(number + 1), ended(number + 1)])
    found = verify_trail(path)
    assert found.ok, found.faults
    assert found.attempts == 20


WRITER = """
import sys, time
from doublevm.audit import SqliteSink
from tests.audit.making import attempt
with SqliteSink(sys.argv[1], checkpoint_every=7) as sink:
    for number in range(100):
        sink.write([attempt(number, enclave=sys.argv[2])])
"""


def test_several_processes_may_write_one_trail(path: Path) -> None:
    """They begin it together, too."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number)]) for number in "123"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    found = verify_trail(path)
    assert found.ok, found.faults
    assert found.attempts == 300


def test_a_forked_child_writes_with_a_connection_of_its_own(path: Path) -> None:
    with SqliteSink(path) as sink:
        sink.write([attempt(1)])
        child = os.fork()
        if child == 0:
            try:
                sink.write([attempt(2)])
                sink.close()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        sink.write([attempt(3)])
    found = verify_trail(path)
    assert found.ok, found.faults
    assert [each.number for each in read_trail(path).operations()] == [1, 2, 3]


def test_a_database_of_something_else_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    for use in (SqliteSink, read_trail):
        with pytest.raises(ConfigError, match="is a database, but no trail"):
            use(path)


def test_a_trail_of_another_version_is_refused(path: Path) -> None:
    SqliteSink(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="is a trail of version 99"):
        SqliteSink(path)


def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_text("hello\n" * 1000)
    with pytest.raises(ConfigError, match="cannot be opened as a trail: file is not a database"):
        SqliteSink(path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened as a trail: No such file"):
        SqliteSink(tmp_path / "none" / "trail.sqlite")


def test_a_link_is_not_followed(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    path.symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="is no plain file"):
        SqliteSink(path)
    assert not elsewhere.exists()
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="is no plain file"):
        SqliteSink(path)


def is_behind(sink: SqliteSink) -> bool:
    return sink.is_behind


def test_an_outcome_is_written_with_what_comes_next_or_soon(path: Path) -> None:
    with SqliteSink(path) as sink, closing(sqlite3.connect(path)) as other:

        def count() -> int:
            (found,) = other.execute("SELECT count(*) FROM links").fetchone()
            return int(found)

        sink.write([attempt(1)])
        assert count() == 2
        with sink._locked():  # so that the thread cannot come first
            sink._keep([ended(1)])
            assert is_behind(sink)
            assert count() == 2
            sink._keep([attempt(2)])
            assert not is_behind(sink)
            assert count() == 4
        sink.write([ended(2)])
        assert wait_until(lambda: count() == 5, 30)
        with sink._locked():
            sink._keep([attempt(3), ended(3)])
        assert count() == 7, "nothing of what is given together is put off"
        time.sleep(1.0)  # the thread has ended, and another begins
        sink.write([attempt(4)])
        sink.write([ended(4)])
        assert wait_until(lambda: count() == 9, 30)
    found = verify_trail(path)
    assert found.ok, found.faults
    assert found.unknown == 0


def test_an_outcome_that_waits_is_not_lost_if_the_next_attempt_is(path: Path) -> None:
    with SqliteSink(path) as sink, closing(sqlite3.connect(path)) as other:
        sink._connection.execute("PRAGMA busy_timeout = 10")
        sink.write([attempt(1)])
        other.execute("BEGIN IMMEDIATE")
        sink.write([ended(1)])
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sink.write([attempt(2)])
        sink.flush()
        assert is_behind(sink)
        other.rollback()
        sink.flush()
        assert not is_behind(sink)
    assert verify_trail(path).unknown == 0


class Breaks(HmacKey):
    """A key that is gone for a while."""

    is_gone = False

    def sign(self, data: bytes) -> bytes:
        if self.is_gone:
            raise OSError("the key is gone")
        return super().sign(data)


def test_what_fails_while_nobody_waits_ends_neither_run_nor_thread(path: Path) -> None:
    def act() -> None:
        key.is_gone = True

    key = Breaks(b"k" * 16)
    with (
        SqliteSink(path, signer=key, checkpoint_every=1) as sink,
        Enclave(tools=[act], audit=sink, engine="monty") as enclave,
    ):
        assert enclave.run("act()").success
        assert is_behind(sink)
        error = enclave.run("act()").error
        assert error is not None
        assert error.verdict is not None
        assert error.verdict.address == "audit/unavailable"
        key.is_gone = False
        assert wait_until(lambda: not sink.is_behind, 30), "the thread goes on"
    found = verify_trail(path, verifier=HmacKey(b"k" * 16))
    assert found.ok, found.faults
    assert found.unknown == 0


def test_a_forked_child_leaves_its_parents_outcomes_alone(path: Path) -> None:
    with SqliteSink(path) as sink:
        sink.write([attempt(1)])
        with sink._locked():
            sink._keep([ended(1)])
            child = os.fork()
        if child == 0:
            try:
                sink.flush()
                sink.write([attempt(2)])
                sink.write([ended(2)])
                sink.close()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    found = verify_trail(path)
    assert found.ok, found.faults
    assert found.unknown == 0
    with closing(sqlite3.connect(path)) as other:
        rows = other.execute("SELECT number FROM links WHERE kind = 'outcome'").fetchall()
    assert sorted(rows) == [(1,), (2,)], "each once"


def test_what_is_forced_to_the_disk(path: Path) -> None:
    for sync, level in ((False, 1), (True, 2)):
        with SqliteSink(path, sync=sync) as sink:
            assert sink._connection.execute("PRAGMA synchronous").fetchone() == (level,)


@pytest.mark.parametrize("bad", ["maybe", 'allow","more":"1'])
def test_what_is_no_entry_ends_the_reading(path: Path, bad: str) -> None:
    with SqliteSink(path) as sink:
        sink.write([attempt(1)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE links SET entry = replace(entry, 'allow', ?)", (bad,))
        connection.commit()
    with pytest.raises(ValueError, match=r"trail\.sqlite"):
        list(read_trail(path).operations())
    assert not verify_trail(path).ok


def test_a_database_that_is_locked_takes_nothing(path: Path) -> None:
    with SqliteSink(path) as sink, closing(sqlite3.connect(path)) as other:
        sink._connection.execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sink.write([attempt(1)])
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sink.write([attempt(1), ended(1)])
        other.rollback()
        sink.write([attempt(2)])
    assert verify_trail(path).ok
    assert [each.number for each in read_trail(path).operations()] == [2]


PLANS = {
    "time": (Filter(since=1.0, until=2.0), "by_time"),
    "operation": (Filter(operation="a", since=1.0), "by_operation"),
    "rule": (Filter(rule="names/grammar"), "by_rule"),
    "denied": (Filter(allowed=False), "by_objection"),
    "would be denied": (Filter(verdict="would_deny"), "by_objection"),
    "denied operation": (Filter(allowed=False, operation="a"), "by_objected_operation"),
    "allowed": (Filter(allowed=True), "by_time"),
    "run": (Filter(enclave="e", run=1), "by_number"),
    "enclave": (Filter(enclave="e"), "by_number"),
    "operation, rule": (Filter(operation="a", rule="names/grammar"), "by_rule_of_operation"),
    "rule, high number": (Filter(rule="names/grammar", run=20), "by_run"),
    "denied, high number": (Filter(allowed=False, run=20), "by_run"),
    "everything": (Filter(), "by_time"),
    "number": (Filter(run=2, since=1.0), "by_run"),
    "first": (Filter(run=1), "by_time"),
    "number, operation": (Filter(run=2, operation="a"), "by_operation"),
    "high number, operation": (Filter(run=20, operation="a"), "by_run"),
}


@pytest.mark.parametrize("name", PLANS)
def test_every_filter_has_its_index(path: Path, name: str) -> None:
    wanted, index = PLANS[name]
    with SqliteSink(path) as sink:
        text, values = query(wanted)
        rows = sink._connection.execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall()
    plan = [row[3] for row in rows]
    assert any(f"a USING INDEX {index}" in step for step in plan), plan
    assert any("o USING INDEX by_number (enclave=? AND run=? AND number=?)" in s for s in plan)
    if "run" not in name and name != "enclave":
        assert not any("TEMP B-TREE" in step for step in plan), plan


ROWS: list[tuple[int, dict[str, Any]]] = [
    (1, {}),
    (2, {"operation": "users:drop", "verdict": Deny("names", "unregistered", "why")}),
    (3, {"run": 2}),
    (4, {"run": 2, "enclave": "f" * 16, "verdict": Deny("rate", "max", "why")}),
]
FILTERS: list[tuple[Filter, list[int]]] = [
    (Filter(), [1, 2, 3, 4]),
    (Filter(since=1002.0), [2, 3, 4]),
    (Filter(until=1002.0), [1]),
    (Filter(since=1002.0, until=1004.0), [2, 3]),
    (Filter(operation="users:list"), [1, 3, 4]),
    (Filter(operation="users"), []),
    (Filter(allowed=True), [1, 3]),
    (Filter(allowed=False), [2, 4]),
    (Filter(rule="rate/max"), [4]),
    (Filter(run=2), [3, 4]),
    (Filter(enclave="f" * 16), [4]),
    (Filter(run=2, allowed=True, operation="users:list"), [3]),
]


@pytest.mark.parametrize(("wanted", "numbers"), FILTERS)
def test_filters(tmp_path: Path, kind: str, wanted: Filter, numbers: list[int]) -> None:
    from tests.audit.making import opened

    with opened(kind, tmp_path) as sink:
        sink.write([attempt(number, **changes) for number, changes in ROWS])
        sink.write([ended(1)])
    found = list(read_trail(sink.path).operations(wanted))
    assert [each.number for each in found] == numbers
    outcomes = {1: "returned", 2: "denied", 3: "unknown", 4: "denied"}
    assert [each.outcome for each in found] == [outcomes[number] for number in numbers]
