"""A trail says which program attempted an operation, and has its text for whoever asks for it."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from doublevm import ConfigError, ErrorCode, Limits, ScoringGate
from doublevm.audit import CallableSink, Filter, Program, Redact, read_trail, verify_trail
from tests.audit.making import attempt, ended, opened, program
from tests.pool.drivers import opened_pool

if TYPE_CHECKING:
    from pathlib import Path

    from doublevm.host.sinks.entries import AnyEntry
    from tests.behaviour.drivers import Driver, Opens

PROGRAM = "a = 'é'\r\nhello(a)\rtry:\n    hello(1)\nexcept TypeError:\n    pass\nhello('x')"
KEY = b"0123456789abcdef"
SECRET = "AKIA" + "IOSFODNN7EXAMPLE"


def hello(name: str = "you") -> str:
    return f"hello {name}"


def sha256(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def test_from_a_denial_to_the_text_of_its_line(
    open_enclave: Opens, kind: str, tmp_path: Path
) -> None:
    with opened(kind, tmp_path, programs=True) as sink:
        enclave = open_enclave(tools=[hello], audit=sink, security_level="PERMISSIVE")
        enclave.run("1")
        result = enclave.run(PROGRAM)
        assert result.success, result.error
        reader = read_trail(sink.path)
        (denied,) = reader.operations(Filter(allowed=False))
        found = reader.program_of(denied)
    assert found is not None
    assert found.text(denied.line) == "    hello(1)"
    assert (found.enclave, found.run) == (denied.enclave, denied.run) == (denied.enclave, 2)
    assert (found.source, found.sha256) == (PROGRAM, sha256(PROGRAM))
    assert (found.engine, found.level, found.session) == ("monty", "PERMISSIVE", False)
    assert list(reader.programs()) == [found], "the first run has attempted nothing"
    verified = verify_trail(sink.path)
    assert verified.ok
    assert verified.attempts == 3


def test_by_itself_a_sink_keeps_no_text(open_enclave: Opens, kind: str, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as sink:
        open_enclave(tools=[hello], audit=sink).run("hello() # nothing of this")
        reader = read_trail(sink.path)
        (operation,) = reader.operations()
        found = reader.program_of(operation)
    assert found is not None
    assert (found.source, found.sha256) == (None, sha256("hello() # nothing of this"))
    assert found.text(1) is None
    assert b"nothing of this" not in b"".join(p.read_bytes() for p in tmp_path.iterdir())


def test_each_run_has_its_own_and_a_session_says_so(
    open_enclave: Opens, kind: str, tmp_path: Path
) -> None:
    with opened(kind, tmp_path, programs=True) as sink:
        enclave = open_enclave(tools=[hello], audit=sink)
        with enclave.session() as session:
            session.run("def twice(x):\n    return hello(x) + hello(x)\nhello()")
            session.run("twice('a')")
        enclave.run("hello('b')")
        reader = read_trail(sink.path)
        programs = list(reader.programs())
        operations = list(reader.operations())
        assert [reader.program_of(each) for each in operations] == [
            programs[0], programs[1], programs[1], programs[2],
        ]  # fmt: skip
    assert [(each.run, each.session) for each in programs] == [(1, True), (2, True), (3, False)]
    assert len({each.enclave for each in programs}) == 1


def test_conversations_of_a_pool_are_told_apart(driver: Driver, tmp_path: Path) -> None:
    with opened("sqlite", tmp_path, programs=True) as sink:
        with opened_pool(driver, tools=[hello], audit=sink, engine="monty") as pool:
            for number in range(3):
                pool.run(f"hello('{number}')")
        reader = read_trail(sink.path)
        for operation in reader.operations():
            found = reader.program_of(operation)
            assert found is not None
            assert found.source == f"hello('{operation.arguments['name']}')"


def test_one_that_was_blocked_for_its_score_is_kept(
    open_enclave: Opens, kind: str, tmp_path: Path
) -> None:
    blocked = "for each in range(3):\n    hello(str(each))\nhello(name='*')"
    with opened(kind, tmp_path, programs=True) as sink:
        gate = ScoringGate(block_threshold=30)
        enclave = open_enclave(tools=[hello], audit=sink, scoring_gate=gate)
        for _ in range(2):  # the second time, it is known
            error = enclave.run(blocked).error
            assert error is not None
            assert error.code is ErrorCode.SCORING_BLOCKED
        reader = read_trail(sink.path)
        assert [(p.source, p.engine) for p in reader.programs()] == [(blocked, None)] * 2
        for score in reader.operations():
            assert score.line is None
            assert reader.program_of(score) is not None


def test_without_its_program_no_operation_is_let_through(open_enclave: Opens) -> None:
    kept: list[AnyEntry] = []

    def fail_at_first(entry: AnyEntry) -> None:
        if isinstance(entry, Program) and not kept:
            kept.append(entry)
            raise OSError
        kept.append(entry)

    ran: list[str] = []

    def note(text: str) -> None:
        ran.append(text)

    sink = CallableSink(fail_at_first, required=True, programs=True)
    source = "try:\n    note('a')\nexcept PermissionError:\n    pass\nnote('b')"
    result = open_enclave(tools=[note], audit=sink).run(source)
    assert result.success, result.error
    assert ran == ["b"]
    programs = [entry for entry in kept if isinstance(entry, Program)]
    assert [each.source for each in programs] == [source, source]


def test_a_flood_has_its_program(driver: Driver, tmp_path: Path) -> None:
    with opened("jsonl", tmp_path) as sink:
        limits = Limits(max_denied=1)
        with opened_pool(driver, tools=[], audit=sink, engine="monty", limits=limits) as pool:
            assert pool.run("call_tool('no:such')").stats.denied == 1
        assert len(list(read_trail(sink.path).programs())) == 1


def test_lines_that_are_not_there() -> None:
    made = program(source="a\r\nb\rc\x0bd\n")
    assert [made.text(n) for n in range(-1, 6)] == [None, None, "a", "b", "c\x0bd", "", None]
    assert made.text(None) is None
    assert made.text(2**31) is None


def test_an_operation_of_before_there_were_programs_has_none(kind: str, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as sink:
        sink.write([program(run=2), attempt(1), ended(1)])
        reader = read_trail(sink.path)
        (operation,) = reader.operations()
        assert reader.program_of(operation) is None


def test_what_is_no_entry_ends_the_reading(kind: str, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as sink:
        sink.write([program(), attempt(1)])
        (operation,) = read_trail(sink.path).operations()
    if kind == "sqlite":
        connection = sqlite3.connect(sink.path)
        connection.execute(
            "UPDATE links SET entry = json_remove(entry, '$.level') WHERE kind = 'program'"
        )
        connection.commit()
        connection.close()
    else:
        text = sink.path.read_text()
        sink.path.write_text(text.replace('"level":"STANDARD",', ""))
    reader = read_trail(sink.path)
    with pytest.raises(ValueError, match=r"trail\.(jsonl|sqlite)"):
        list(reader.programs())
    with pytest.raises(ValueError, match=r"trail\.(jsonl|sqlite)"):
        reader.program_of(operation)


# --- redaction --------------------------------------------------------------------------------


def test_secrets_are_left_out_and_lines_stay_where_they_are(kind: str, tmp_path: Path) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\r\nMIIB\nabcd\n-----END RSA PRIVATE KEY-----"
    source = f"a = '{SECRET}'\nb = '''{key}'''\nusers.list()"
    redact = Redact(key=KEY, patterns=[r"EMP-\d+"])
    with opened(kind, tmp_path, programs=True, redact=redact) as sink:
        sink.write([program(source=source, sha256=sha256(source)), attempt(1, line=6)])
        reader = read_trail(sink.path)
        (operation,) = reader.operations()
        found = reader.program_of(operation)
    assert found is not None
    assert found.text(1) == f"a = '{redact.marker('aws_key', SECRET)}'"
    assert found.text(operation.line) == "users.list()"
    data = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert SECRET.encode() not in data
    assert b"MIIB" not in data
    assert sha256(source).encode() not in data, "guesses could be tried with it"
    assert found.sha256 == redact.marker("program", source)


def test_the_twin_a_program_without_secrets_is_kept_as_it_is() -> None:
    assert Redact(key=KEY).entry(program()) == program()
    bare = program(source=None)
    assert Redact(key=KEY).entry(bare) == bare


def test_fields_cannot_be_left_out_of_a_program(kind: str, tmp_path: Path) -> None:
    for fields in (["password"], {"login": ["password"]}):
        with pytest.raises(ConfigError, match="programs=True contradicts"):
            opened(kind, tmp_path, programs=True, redact=Redact(fields=fields))
    assert list(tmp_path.iterdir()) == []
    opened(kind, tmp_path, programs=True, redact=Redact(fields={"login": []})).close()
