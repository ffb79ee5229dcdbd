"""``doublevm audit show``, as a user's shell and terminal see it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from doublevm.audit import JsonlSink
from doublevm.cli.app import app
from doublevm.cli.looking.choosing import moment
from doublevm.errors import ConfigError
from doublevm.verdict import Deny
from tests.audit.making import attempt, ended, opened
from tests.looking.sample import HOSTILE, entries, every_kind, hostile, of_a_program, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer.testing import Result

DOUBLEVM = str(Path(sys.executable).parent / "doublevm")


def show(*arguments: str | Path) -> Result:
    """Run it in this process: starting one for each test takes longer than the test."""
    return CliRunner().invoke(app, ["audit", "show", *map(str, arguments)])


def objects(*arguments: str | Path) -> list[dict[str, Any]]:
    done = show(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(params=["trail.jsonl", "trail.sqlite"])
def trail(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return written(tmp_path / request.param, every_kind())


def test_a_row_for_each(trail: Path) -> None:
    done = show(trail)
    assert done.exit_code == 0, done.stderr
    assert "\x1b" not in done.stdout
    day, heads, *rows = done.stdout.splitlines()
    assert day == "── 2026-03-01 UTC "
    assert heads.split() == ["time", "run", "operation", "arguments", "outcome", "ms"]
    assert len(rows) == 14
    assert rows[1].split() == [
        "4",
        "12:00:02.000",
        "c0ffee01/1",
        "kb:search",
        "top=2",
        "returned",
        "250.0",
    ]
    assert "(program)" in rows[0]
    assert rows[0].rstrip().endswith("scored 35                                2.0")
    assert rows[8].rstrip().endswith("denied [names/unregistered]")
    assert "returned, would be denied [sequen…" in rows[12]


def test_every_field_in_json(trail: Path) -> None:
    assert objects(trail)[5] == {
        "seq": 11,
        "enclave": "c0ffee0123456789",
        "run": 1,
        "number": 6,
        "time": 1_772_366_406.0,
        "operation": "mail:send",
        "arguments": {"to": "archive@example.net", "body": "all tickets of March"},
        "verdict": "deny",
        "rule": "sequence/EXFIL_LIST_SEND",
        "reason": "data was read and something is leaving",
        "outcome": "denied",
        "duration": 0.0,
        "line": None,
    }


OPTIONS: list[tuple[list[str], list[int]]] = [
    (["--verdict", "allow", "--run", "1"], [2, 4, 6, 8, 10]),
    (["--verdict", "deny", "--rule", "names/unregistered"], [14]),
    (["--verdict", "would-deny"], [18]),
    (["--rule", "sequence/DELETE_AFTER_ACCESS"], [18]),
    (["--outcome", "raised"], [6]),
    (["--outcome", "unknown"], [10]),
    (["--operation", "tickets:*"], [12, 15, 16, 18]),
    (["--since", "2026-03-01T12:00:10", "--until", "2026-03-01T12:00:21Z"], [15, 16, 17]),
    (["--since", "2026-03-01T13:00:21+01:00"], [18, 20]),
    (["--until", "15m", "--enclave", "c0ff", "-n", "2"], [18, 20]),
    (["--enclave", "beef"], []),
]


@pytest.mark.parametrize(("options", "entries"), OPTIONS, ids=lambda each: " ".join(map(str, each)))
def test_options(trail: Path, options: list[str], entries: list[int]) -> None:
    assert [each["seq"] for each in objects(trail, *options)] == entries


def test_the_newest_fifty_unless_told_otherwise(tmp_path: Path) -> None:
    trail = written(tmp_path / "trail.sqlite", entries(80))

    def rows(*options: str) -> int:
        return len(re.findall(r"^ +\d+ ", show(trail, *options).stdout, re.MULTILINE))

    assert (rows(), rows("-n", "3"), rows("--all"), len(objects(trail))) == (50, 3, 80, 80)
    assert objects(trail, "-n", "50")[0]["seq"] == objects(trail)[30]["seq"]


def test_the_line_that_made_the_call(tmp_path: Path, kind: str) -> None:
    trail = written(tmp_path / f"trail.{kind}", of_a_program())
    assert r"program   line 3: kb.search('<b>')\u202e" in show(trail, "3").stdout
    assert objects(trail)[0]["line"] == 3


def test_one_in_full(tmp_path: Path) -> None:
    trail = written(tmp_path / "trail.sqlite", hostile())
    done = show(trail, "13")
    assert done.exit_code == 0
    assert done.stdout.count(HOSTILE["long"]) == 5, "name, reason, and three times in the arguments"
    assert "became    denied [names/unregistered]" in done.stdout
    done = show(trail, "16")
    assert r"'a\ud800b'" in done.stdout
    assert "unknown" in done.stdout
    assert json.loads(show(trail, "16", "--json").stdout)["arguments"]["kinds"] == [1, 2]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["1"], "entry 1 of"),
        (["4", "--run", "1"], "an entry's number says it all"),
        (["4", "--follow"], "an entry's number says it all"),
        (["--all", "-n", "1"], "contradict each other"),
        (["--verdict", "maybe"], "--verdict is one of allow, deny, would_deny; not 'maybe'"),
        (["--outcome", "won"], "--outcome is one of returned, raised"),
        (["--since", "soon"], "--since takes a time"),
    ],
)
def test_wrong_usage(trail: Path, options: list[str], problem: str) -> None:
    done = show(trail, *options)
    assert done.exit_code == 2
    assert problem in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_what_is_no_trail(tmp_path: Path) -> None:
    done = show(tmp_path / "none.jsonl")
    assert (done.exit_code, "there is no trail" in done.stderr) == (2, True)
    done = show(tmp_path)
    assert (done.exit_code, "Is a directory" in " ".join(done.stderr.split())) == (2, True)
    damaged = written(tmp_path / "trail.jsonl", every_kind())
    damaged.write_text(damaged.read_text().replace('"outcome":"raised"', '"outcome":"won"'))
    done = show(damaged, "--json")
    assert (
        done.exit_code,
        "`doublevm audit verify` says more" in " ".join(done.stderr.split()),
    ) == (1, True)


def test_moments() -> None:
    now = 1_000_000.0
    assert [moment("--since", text, now) for text in ("90s", "15m", "2h", "3d", "1w")] == [
        now - seconds for seconds in (90, 900, 7200, 259_200, 604_800)
    ]
    assert moment("--since", "1970-01-02", now) == 86_400
    for text in ("", "15", "m", "-2h", "2026-13-01", "15 m"):
        with pytest.raises(ConfigError, match="--since takes a time"):
            moment("--since", text, now)


def on_terminal(trail: Path, columns: int, **environment: str) -> str:
    """Return what a terminal of this width is sent."""
    main, terminal = pty.openpty()
    given = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), **environment}
    if "NO_COLOR" not in environment:
        given.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [DOUBLEVM, "audit", "show", str(trail)], stdout=terminal, stderr=terminal, env=given
    )
    os.close(terminal)
    sent = b""
    with os.fdopen(main, "rb", buffering=0) as screen:
        while True:
            try:
                piece = screen.read(65536)
            except OSError:  # how Linux says that the other end was closed
                break
            if not piece:
                break
            sent += piece
    assert process.wait(60) == 0
    return sent.decode()


COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("columns", [40, 80, 100, 200])
def test_a_guest_writes_nothing_to_the_terminal_but_text(tmp_path: Path, columns: int) -> None:
    trail = written(tmp_path / "trail.sqlite", hostile())
    sent = on_terminal(trail, columns)
    assert COLOURS.search(sent)
    lines = COLOURS.sub("", sent).replace("\r\n", "\n").splitlines()
    assert len(lines) == 2 + len(HOSTILE) + 1, "no operation looks like two"
    for line in lines:
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", line)
        assert cell_len(line) <= columns
        assert len(line) < 10 * columns, "marks without a width are not endless"


def test_no_colour(trail: Path) -> None:
    coloured = r"\x1b\[(\d+;)*(3|9)\d"
    assert re.search(coloured, on_terminal(trail, 100)), "the control"
    assert not re.search(coloured, on_terminal(trail, 100, NO_COLOR="1"))


def test_who_reads_on_no_more_is_left_in_peace(tmp_path: Path) -> None:
    trail = written(tmp_path / "trail.sqlite", entries(5000))
    for options in (["--json"], ["--all"]):
        with subprocess.Popen(
            [DOUBLEVM, "audit", "show", str(trail), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline()
            process.stdout.close()
            assert process.wait(60) == 0
            assert process.stderr.read() == b""


@contextmanager
def following(trail: Path, *options: str) -> Iterator[tuple[Queue[dict[str, Any]], Any]]:
    """Follow a trail; what is shown comes through the queue."""
    command = [DOUBLEVM, "audit", "show", str(trail), "--follow", "--json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines: Queue[dict[str, Any]] = Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(json.loads(line))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield lines, process
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, "Ctrl-C is how one ends it"
        assert process.stderr is not None
        assert process.stderr.read() == ""
        reader.join(60)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def test_following(tmp_path: Path, kind: str) -> None:
    with opened(kind, tmp_path) as sink:
        sink.write([attempt(1), ended(1), attempt(2)])
        with following(sink.path) as (lines, _):

            def told() -> tuple[int, str]:
                found = lines.get(timeout=60)
                return found["number"], found["outcome"]

            assert [told(), told()] == [(1, "returned"), (2, "unknown")]
            sink.write([ended(2, outcome="raised")])
            assert told() == (2, "raised")
            sink.write([attempt(3)])
            sink.write([attempt(4, verdict=Deny("rate", "max", "why"))])
            assert told() == (4, "denied"), "the third has not ended"
            sink.write([ended(3)])
            assert told() == (3, "returned")
            sink.write([attempt(5), attempt(6), ended(6)])
            assert told() == (6, "returned")
    assert told() == (5, "unknown")
    assert lines.empty()


def test_following_over_files_and_filters(tmp_path: Path) -> None:
    with JsonlSink(tmp_path / "trail.jsonl", max_bytes=1000) as sink:
        sink.write([attempt(1), ended(1)])
        with following(sink.path, "--operation", "users:*", "-n", "1") as (lines, _):
            assert lines.get(timeout=60)["number"] == 1
            for number in range(2, 22):
                name = "mail:send" if number % 2 else "users:list"
                sink.write([attempt(number, operation=name)])
                sink.write([ended(number)])
            assert [lines.get(timeout=60)["number"] for _ in range(10)] == list(range(2, 22, 2))
    assert lines.empty()


def test_help_teaches() -> None:
    done = show("--help")
    assert "doublevm audit show trail.sqlite --verdict" in done.stdout
    assert "Exit status: 0, also when Ctrl-C ends --follow" in done.stdout
