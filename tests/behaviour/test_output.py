"""What a program prints: kept in its result, and live, in order with its tool calls."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Driver, Engine, Opens, Runs

happened: list[tuple[str, Any]] = []
"""Output and tool calls, in the order the host saw them."""


def note(n: int) -> int:
    happened.append(("call", n))
    return n


async def note_async(n: int) -> int:
    happened.append(("call", n))
    return n


def on_output(stream: str, text: str) -> None:
    happened.append((stream, text))


def in_order() -> list[tuple[str, Any]]:
    """Return what happened, with pieces of text that came one after the other put together."""
    joined: list[tuple[str, Any]] = []
    for kind, what in happened:
        if joined and joined[-1][0] == kind and kind != "call":
            what = joined.pop()[1] + what  # noqa: PLW2901
        joined.append((kind, what))
    return joined


@pytest.fixture(scope="module")
def guest(driver: Driver, engine: Engine) -> Iterator[Runs]:
    options = {"engine": engine, "tools": [note, note_async]}
    with opened(driver, **options) as enclave, enclave.session() as session:
        yield session


PRINTED: list[tuple[str, str, str]] = [
    ("print('a')", "a\n", ""),
    ("print()", "\n", ""),
    ("print('a', end='')", "a", ""),
    ("print('a', end='')\nprint('b', end='!')", "ab!", ""),
    ("print(1, None, [2], sep='-')", "1-None-[2]\n", ""),
    ("print('a\\nb')", "a\nb\n", ""),
    ("print('é😀')", "é😀\n", ""),
    ("print('x', flush=True)", "x\n", ""),
    ("for n in range(3): print(n)", "0\n1\n2\n", ""),
    ("print('x' * 100_000)", "x" * 100_000 + "\n", ""),
    ("import sys\nprint('e', file=sys.stderr)", "", "e\n"),
    ("import sys\nprint('o')\nprint('e', file=sys.stderr)\nprint('p')", "o\np\n", "e\n"),
    ("print('kept')\n1 / 0", "kept\n", ""),
    ("print('kept', end='')\nraise ValueError('x')", "kept", ""),
    ("print('kept', end='')\nint", "kept", ""),
]

PRINTED_ON_CPYTHON: list[tuple[str, str, str]] = [
    ("import sys\nn = sys.stdout.write('w')", "w", ""),
    ("import sys\nsys.stderr.write('w')\nsys.stderr.flush()", "", "w"),
    ("import sys\nsys.stdout.writelines(['a', 'b'])", "ab", ""),
    ("import sys\nprint(sys.stdout.writable(), sys.stdout.encoding)", "True utf-8\n", ""),
    ("print('\\ud800')", "\\ud800\n", ""),
    (
        "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    print('x')",
        "",
        "",
    ),
    ("import pprint\npprint.pprint({'a': 1})", "{'a': 1}\n", ""),
    ("import sys, json\njson.dump([1], sys.stdout)", "[1]", ""),
]


@pytest.mark.parametrize(("program", "stdout", "stderr"), PRINTED)
def test_printed_text_is_kept_and_shown(
    guest: Runs, program: str, stdout: str, stderr: str
) -> None:
    happened.clear()
    result = guest.run(program, on_output=on_output)
    assert (result.stdout, result.stderr) == (stdout, stderr)
    for stream, expected in (("stdout", stdout), ("stderr", stderr)):
        assert "".join(text for kind, text in happened if kind == stream) == expected


@pytest.fixture(scope="module")
def cpython_guest(driver: Driver) -> Iterator[Runs]:
    """Monty has print() to the two streams, and nothing else of them."""
    with opened(driver, engine="cpython") as enclave, enclave.session() as session:
        yield session


@pytest.mark.parametrize(("program", "stdout", "stderr"), PRINTED_ON_CPYTHON)
def test_the_streams_themselves_on_cpython(
    cpython_guest: Runs, program: str, stdout: str, stderr: str
) -> None:
    result = cpython_guest.run(program)
    assert result.error is None
    assert (result.stdout, result.stderr) == (stdout, stderr)


ORDERED: list[tuple[str, list[tuple[str, Any]]]] = [
    (
        "print('a')\nnote(1)\nprint('b')\nnote(2)\nprint('c')",
        [("stdout", "a\n"), ("call", 1), ("stdout", "b\n"), ("call", 2), ("stdout", "c\n")],
    ),
    (
        "print('a', end='')\nnote(1)\nprint('b', end='')",
        [("stdout", "a"), ("call", 1), ("stdout", "b")],
    ),
    (
        "import sys\nprint('e', file=sys.stderr)\nprint('o')\nprint('f', file=sys.stderr)",
        [("stderr", "e\n"), ("stdout", "o\n"), ("stderr", "f\n")],
    ),
    (
        "print('a', end='')\nawait note_async(1)\nprint('b')",
        [("stdout", "a"), ("call", 1), ("stdout", "b\n")],
    ),
    (
        "for n in range(3):\n    print(n)\n    note(n)",
        [
            ("stdout", "0\n"),
            ("call", 0),
            ("stdout", "1\n"),
            ("call", 1),
            ("stdout", "2\n"),
            ("call", 2),
        ],
    ),
]


@pytest.mark.parametrize(("program", "order"), ORDERED)
def test_output_and_calls_come_in_order(
    guest: Runs, program: str, order: list[tuple[str, Any]]
) -> None:
    happened.clear()
    assert guest.run(program, on_output=on_output).success
    assert in_order() == order


def test_output_comes_while_the_program_runs(open_enclave: Opens) -> None:
    """The program goes on only once its first line has been seen."""
    seen = threading.Event()

    def wait_for_it() -> bool:
        return seen.wait(20)

    def look(stream: str, text: str) -> None:
        if "first" in text:
            seen.set()

    enclave = open_enclave(tools=[wait_for_it])
    assert enclave.run("print('first')\nwait_for_it()", on_output=look).unwrap() is True


def test_a_callback_that_raises_ends_the_run_and_is_raised(open_enclave: Opens) -> None:
    def refuse(stream: str, text: str) -> None:
        raise LookupError("no terminal")

    enclave = open_enclave()
    with pytest.raises(LookupError, match="no terminal"):
        enclave.run("print('a')\nwhile True: pass", on_output=refuse)
    assert enclave.run("1 + 1", on_output=refuse).unwrap() == 2
