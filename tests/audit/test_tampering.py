"""Every way to tamper with a stored trail is found, and its place is named."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doublevm import ConfigError
from doublevm.audit import GENESIS, HmacKey, JsonlSink, SqliteSink, read_trail, verify_trail
from doublevm.host.sinks.chain import Head, chained, decode_link
from doublevm.host.sinks.entries import decode_entry
from doublevm.verdict import Deny
from tests.audit.making import KINDS, attempt, ended, program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doublevm.audit import Verification

KEY = HmacKey(b"k" * 16)
Rows = list[dict[str, Any]]
"""Links as JSON has them."""


def write(kind: str, folder: Path, count: int, **options: Any) -> Path:
    options = {"checkpoint_every": 4, "signer": KEY, "programs": True, **options}
    sink: JsonlSink | SqliteSink = KINDS[kind](folder / f"trail.{kind}", **options)
    with sink:
        for number in range(1, count + 1):
            verdict = Deny("names", "unregistered", "why") if number % 3 == 0 else "allow"
            first = [program()] if number == 1 else []
            sink.write([*first, attempt(number, verdict=verdict)])
            if verdict == "allow":
                sink.write([ended(number)])
    return sink.path


def read(path: Path) -> Rows:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT seq, hex(previous), hex(hash), entry FROM links")
        return [
            {"seq": seq, "previous": p.lower(), "hash": h.lower(), "entry": json.loads(entry)}
            for seq, p, h, entry in found
        ]


def put(path: Path, rows: Rows) -> None:
    """Write a trail anew, as somebody does who can write its files."""
    if path.suffix == ".jsonl":
        path.write_text("".join(text(row) + "\n" for row in rows))
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM links")
        for row in rows:
            connection.execute(
                "INSERT INTO links (seq, previous, hash, entry) VALUES (?, ?, ?, ?)",
                (
                    row["seq"],
                    bytes.fromhex(row["previous"]),
                    bytes.fromhex(row["hash"]),
                    text(row["entry"]),
                ),
            )


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def chained_anew(rows: Rows, head: Head) -> Rows:
    """Return rows with the places and hashes that they would have had."""
    links = chained(head, [decode_entry(text(row["entry"])) for row in rows])
    return [json.loads(link.line) for link in links]


@contextmanager
def trail(kind: str, count: int, **options: Any) -> Iterator[tuple[Path, Rows]]:
    with tempfile.TemporaryDirectory() as folder:
        path = write(kind, Path(folder), count, **options)
        yield path, read(path)


both_kinds = pytest.mark.parametrize("kind", KINDS)
few = settings(deadline=None, max_examples=25)
counts = st.integers(2, 12)


def kinds_of(found: Verification) -> set[str]:
    return {fault.kind for fault in found.faults}


@both_kinds
@few
@given(count=counts)
def test_the_control_an_untouched_trail_is_right(kind: str, count: int) -> None:
    with trail(kind, count) as (path, rows):
        put(path, rows)
        found = verify_trail(path, verifier=KEY, last_hash=rows[-1]["hash"])
        assert found.faults == []
        assert (found.entries, found.last_seq) == (len(rows), len(rows))
        assert found.signed_to == len(rows) - 1
        assert found.attempts == count
        assert found.unknown == 0


@both_kinds
@few
@given(count=counts, data=st.data())
def test_a_changed_field_is_found(kind: str, count: int, data: st.DataObject) -> None:
    with trail(kind, count) as (path, rows):
        place = data.draw(st.integers(0, len(rows) - 1))
        part = data.draw(st.sampled_from(("previous", "hash", "entry")))
        if part == "entry":
            name = data.draw(st.sampled_from(sorted(rows[place]["entry"].keys() - {"kind"})))
            rows[place]["entry"][name] = changed(rows[place]["entry"][name])
        else:
            rows[place][part] = "f" * 64
        put(path, rows)
        found = verify_trail(path)
        assert kinds_of(found) <= {"changed", "inserted", "signature"}
        assert found.faults[0].seq in (place + 1, place + 2)


def changed(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value + 1
    if isinstance(value, str):
        return {"allow": {"barrier": "a", "rule": "b", "reason": ""}}.get(value, value + "x")
    return {"n": "other"} if isinstance(value, dict) and "barrier" not in value else "allow"


@both_kinds
@few
@given(count=counts, data=st.data())
def test_removed_ones_are_found(kind: str, count: int, data: st.DataObject) -> None:
    with trail(kind, count) as (path, rows):
        first = data.draw(st.integers(1, len(rows) - 2))
        last = data.draw(st.integers(first, len(rows) - 2))
        put(path, rows[:first] + rows[last + 1 :])
        (fault,) = verify_trail(path).faults
        assert (fault.kind, fault.seq) == ("removed", first + 1)
        which = (
            f"entry {first + 1} is" if first == last else f"entries {first + 1} to {last + 1} are"
        )
        assert fault.problem == f"{which} missing before it"


@both_kinds
@few
@given(count=counts, data=st.data())
def test_removed_ones_are_found_when_the_rest_is_chained_anew(
    kind: str, count: int, data: st.DataObject
) -> None:
    """Whoever can do that can do it all; but no signature is theirs."""
    with trail(kind, count) as (path, rows):
        place = data.draw(st.integers(1, len(rows) - 2))
        head = Head(place, rows[place - 1]["hash"])
        put(path, rows[:place] + chained_anew(rows[place + 1 :], head))
        found = verify_trail(path, verifier=KEY)
        assert kinds_of(found) == {"signature"}


@both_kinds
@few
@given(count=counts, data=st.data())
def test_a_beginning_that_was_cut_off_is_found(kind: str, count: int, data: st.DataObject) -> None:
    with trail(kind, count) as (path, rows):
        start = data.draw(st.integers(1, len(rows) - 1))
        put(path, rows[start:])
        (fault,) = verify_trail(path).faults
        assert (fault.kind, fault.seq) == ("cut", 1)
        assert verify_trail(path, first=start + 1).ok


@both_kinds
@few
@given(count=counts, data=st.data())
def test_an_end_that_was_cut_off_is_found_by_who_knows_it(
    kind: str, count: int, data: st.DataObject
) -> None:
    with trail(kind, count) as (path, rows):
        end = data.draw(st.integers(1, len(rows) - 1))
        put(path, rows[:end])
        assert verify_trail(path).ok, "the control: it leaves no gap"
        (fault,) = verify_trail(path, last_hash=rows[-1]["hash"]).faults
        assert fault.kind == "cut"
        assert verify_trail(path, last_hash=rows[0]["hash"]).ok, "others may have come since"


@few
@given(count=counts, data=st.data())
def test_reordered_ones_are_found(count: int, data: st.DataObject) -> None:
    with trail("jsonl", count) as (path, rows):
        place = data.draw(st.integers(0, len(rows) - 2))
        rows[place], rows[place + 1] = rows[place + 1], rows[place]
        put(path, rows)
        found = verify_trail(path)
        assert found.faults[0].seq == place + 1
        assert "reordered" in kinds_of(found)


@both_kinds
@few
@given(count=counts, data=st.data())
def test_those_that_changed_their_numbers_as_well_are_found(
    kind: str, count: int, data: st.DataObject
) -> None:
    with trail(kind, count) as (path, rows):
        place = data.draw(st.integers(0, len(rows) - 2))
        one, other = rows[place], rows[place + 1]
        one["entry"], other["entry"] = other["entry"], one["entry"]
        put(path, rows)
        assert [fault.seq for fault in verify_trail(path).faults][:2] == [place + 1, place + 2]


@both_kinds
@few
@given(count=counts, data=st.data())
def test_an_inserted_one_is_found(kind: str, count: int, data: st.DataObject) -> None:
    with trail(kind, count) as (path, rows), trail(kind, count) as (_, others):
        place = data.draw(st.integers(1, len(rows) - 1))
        head = Head(place, rows[place - 1]["hash"])
        forged = chained_anew([others[place]], head)
        moved = [{**row, "seq": row["seq"] + 1} for row in rows[place:]]
        put(path, rows[:place] + forged + moved)
        found = verify_trail(path)
        assert found.faults[0].seq in (place + 1, place + 2)


@both_kinds
@few
@given(count=counts)
def test_the_end_of_another_trail_does_not_fit(kind: str, count: int) -> None:
    with trail(kind, count) as (path, rows), trail(kind, count) as (_, others):
        half = len(rows) // 2
        put(path, rows[:half] + others[half:])
        assert verify_trail(path).faults[0].seq == half + 1
        put(path, rows[:half] + chained_anew(others[half:], Head(half, rows[half - 1]["hash"])))
        assert kinds_of(verify_trail(path)) <= {"inserted", "signature"}
        assert not verify_trail(path).ok, "its checkpoints name another trail"


@both_kinds
def test_a_trail_that_was_written_anew_has_no_signature(kind: str) -> None:
    with trail(kind, 5) as (path, rows):
        rows[2]["entry"]["operation"] = "harmless"
        put(path, chained_anew(rows, Head()))
        found = verify_trail(path, verifier=KEY)
        assert kinds_of(found) == {"signature"}
        assert found.signed_to == 0


@both_kinds
def test_a_trail_that_was_written_anew_without_checkpoints_is_found(kind: str) -> None:
    """The control: without the key nothing is wrong with it."""
    with trail(kind, 5) as (path, rows):
        bare = [row for row in rows if row["entry"]["kind"] != "checkpoint"]
        attempted = next(row["entry"] for row in bare if row["entry"]["kind"] == "attempt")
        attempted["operation"] = "harmless"
        put(path, chained_anew(bare, Head()))
        assert verify_trail(path).ok
        (fault,) = verify_trail(path, verifier=KEY).faults
        assert (fault.kind, fault.problem) == ("signature", "nothing of it is signed")


@both_kinds
def test_another_trail_of_the_same_key_is_found_by_who_knows_the_end(kind: str) -> None:
    with trail(kind, 5) as (path, rows), trail(kind, 5) as (_, others):
        put(path, others)
        assert verify_trail(path, verifier=KEY).ok, "the control: all of it is in order"
        (fault,) = verify_trail(path, verifier=KEY, last_hash=rows[-1]["hash"]).faults
        assert fault.kind == "cut"


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 3, 4, 5], [0, 1, 4, 5, 2, 3, 6, 7]])
def test_what_is_there_twice_or_in_another_place_is_found(order: list[int]) -> None:
    with trail("jsonl", 8) as (path, rows):
        put(path, [rows[place] for place in order])
        assert "reordered" in kinds_of(verify_trail(path))


@both_kinds
def test_the_key_matters(kind: str) -> None:
    with trail(kind, 5) as (path, _):
        found = verify_trail(path, verifier=HmacKey(b"x" * 16))
        assert {fault.problem for fault in found.faults} == {
            "the checkpoint is signed with another key"
        }
    with trail(kind, 5, signer=None) as (path, _):
        assert verify_trail(path).ok
        found = verify_trail(path, verifier=KEY)
        assert {fault.problem for fault in found.faults} == {"the checkpoint is not signed"}


@few
@given(count=counts, part=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_no_byte_of_a_file_can_be_changed(count: int, part: float, mask: int) -> None:
    with trail("jsonl", count) as (path, rows):
        whole = path.read_bytes()
        place = int(part * len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
        found = verify_trail(path, last_hash=rows[-1]["hash"])
        assert not found.ok
        assert found.faults[0].seq <= whole[:place].count(b"\n") + 2


def test_half_a_line_in_the_middle_is_found(tmp_path: Path) -> None:
    path = write("jsonl", tmp_path, 3, max_bytes=400)
    first = path.with_name("trail.000001.jsonl")
    first.write_bytes(first.read_bytes()[:-10])
    assert "changed" in kinds_of(verify_trail(path))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(b"x" * 100 + path.read_bytes()[100:]),
    ],
    ids=["cut", "header"],
)
def test_a_damaged_database_is_found(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    path = write("sqlite", tmp_path, 100)
    damage(path)
    assert not verify_trail(path).ok


def test_an_index_is_over_nothing_that_can_be_changed_by_itself(tmp_path: Path) -> None:
    path = write("sqlite", tmp_path, 1)
    with (
        closing(sqlite3.connect(path)) as connection,
        pytest.raises(sqlite3.OperationalError, match="generated column"),
    ):
        connection.execute("UPDATE links SET rule = 'x'")


HIDING: dict[str, str] = {
    "index": """
        DROP INDEX by_time;
        CREATE INDEX by_time ON links (time) WHERE kind = 'attempt' AND seq <> 3""",
    "disguised index": """
        DROP INDEX by_time;
        CREATE INDEX by_time ON links (time) WHERE kind = 'attempt' AND seq <> 3;
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET sql = replace(sql, ' AND seq <> 3', '') WHERE name = 'by_time'""",
    "column": """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET sql = replace(sql, '$.operation', '$.kind')
            WHERE name = 'links'""",
    "loose table": """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET sql = replace(sql, ' STRICT', '') WHERE name = 'links'""",
    "trigger": """
        CREATE TRIGGER quiet BEFORE INSERT ON links BEGIN SELECT raise(IGNORE); END""",
    "view": "CREATE VIEW more AS SELECT * FROM links",
}


@pytest.mark.parametrize("how", HIDING)
def test_what_filters_find_is_what_is_chained(tmp_path: Path, how: str) -> None:
    path = write("sqlite", tmp_path, 3, checkpoint_every=100)
    assert verify_trail(path).ok, "the twin"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(HIDING[how])
    found = verify_trail(path)
    assert "changed" in kinds_of(found)
    assert found.faults[0].where.startswith("the database: ")
    if how == "disguised index":
        found_by_it = [each.number for each in read_trail(path).operations()]
        assert 1 not in found_by_it, "the control: a filter does not find it"
        return
    with pytest.raises(ValueError, match="not the table and indexes of a trail"):
        list(read_trail(path).operations())
    with pytest.raises(ConfigError, match="cannot be continued"):
        SqliteSink(path)


def test_statistics_that_somebody_has_made_are_no_harm(tmp_path: Path) -> None:
    path = write("sqlite", tmp_path, 3)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ANALYZE")
    assert verify_trail(path).ok
    SqliteSink(path).close()


def test_a_trigger_that_drops_what_is_written_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "trail.sqlite"
    with SqliteSink(path) as sink:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(HIDING["trigger"].strip())
        for entries in ([attempt(1)], [attempt(1), attempt(2)], [attempt(1)] * 3):
            with pytest.raises(sqlite3.IntegrityError, match="has not taken"):
                sink.write(entries)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TRIGGER quiet")
        sink.write([attempt(3)])
    assert verify_trail(path).ok


def test_what_cannot_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    path = write("sqlite", tmp_path, 3)
    path.with_name("trail.sqlite-wal").unlink(missing_ok=True)
    path.with_name("trail.sqlite-wal").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        verify_trail(path)


def test_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no trail"):
        verify_trail(tmp_path / "trail.jsonl")
    (tmp_path / "trail.jsonl").touch()
    (fault,) = verify_trail(tmp_path / "trail.jsonl").faults
    assert (fault.kind, fault.problem) == ("cut", "there is nothing")


def test_faults_are_told_up_to_a_hundred(tmp_path: Path) -> None:
    path = write("jsonl", tmp_path, 100)
    rows = read(path)
    for row in rows:
        row["entry"]["time"] += 1
    put(path, rows)
    assert len(verify_trail(path).faults) == 100


PINNED = "dc4f9426dc975404067628c8aa5f02f0098a81520211da895201457bdc2692ee"


def test_the_form_of_a_link_is_pinned() -> None:
    """A change here makes every trail that users have kept unverifiable."""
    (link,) = chained(Head(), [attempt(verdict=Deny("names", "blocked", "why"))])
    assert link.line == (
        b'{"entry":{"arguments":{"n":1},"enclave":"eeeeeeeeeeeeeeee","judged":1001.0,'
        b'"kind":"attempt","line":3,"number":1,"operation":"users:list","run":1,"time":1001.0,'
        b'"verdict":{"barrier":"names",'
        b'"reason":"why","rule":"blocked"}},"hash":"%b","previous":"%b","seq":1}'
        % (link.hash.encode(), GENESIS.encode())
    )
    assert link.hash == PINNED
    assert decode_link(link.line) == link
    assert link.expected_hash == link.hash
