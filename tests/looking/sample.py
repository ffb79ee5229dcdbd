"""Trails as an agent at a help desk leaves them; always the same ones."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from doublevm.audit import JsonlSink, SqliteSink
from doublevm.host.sinks.entries import Tried
from doublevm.verdict import Deny, WouldDeny
from doublevm.wire.codec import encode
from tests.audit.making import attempt, ended, program
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from doublevm.audit import Attempt, Ended
    from doublevm.host.sinks.entries import AnyEntry

BEGIN: Final = 1_772_366_400.0
"""2026-03-01 12:00 UTC."""

DENIED: Final[tuple[tuple[str, dict[str, Any], Deny], ...]] = (
    (
        "mail:send",
        {"to": "archive@example.net", "body": "all tickets of March"},
        Deny("sequence", "EXFIL_LIST_SEND", "data was read and something is leaving"),
    ),
    (
        "tickets:export_all",
        {"format": "csv"},
        Deny("sequence", "BULK_OPERATION", "its name asks for everything"),
    ),
    (
        "customers:get",
        {"customer": "*"},
        Deny("sequence", "BULK_OPERATION", "argument 'customer' asks for everything"),
    ),
    ("shell:run", {"command": "id"}, Deny("names", "unregistered", "there is no such tool")),
    (
        "tickets:get",
        {"ticket": "4711"},
        Deny("arguments", "type", "argument 'ticket' must be int, not str"),
    ),
    (
        "tickets:get",
        {"ticket": 4711},
        Deny("rate", "max_operations_per_second", "more than 100 operations in a second"),
    ),
)


def an_attempt(
    enclave: str,
    run: int,
    number: int,
    time: float,
    operation: str,
    arguments: dict[str, Any] | str,
    verdict: object,
    *,
    line: int | None = None,
) -> Attempt:
    return attempt(
        number,
        enclave=enclave,
        run=run,
        time=time,
        operation=operation,
        arguments=arguments,
        verdict=verdict,
        line=line,
    )


def an_outcome(
    enclave: str, run: int, number: int, time: float, outcome: str, duration: float
) -> Ended:
    return ended(number, enclave=enclave, run=run, time=time, outcome=outcome, duration=duration)


def allowed(chance: random.Random) -> tuple[str, dict[str, Any], float]:
    number = chance.randint(1000, 9999)
    return chance.choice(
        (
            ("tickets:list", {"status": "open", "limit": chance.choice((10, 25, 50))}, 0.018),
            ("tickets:list", {"status": "waiting", "assignee": "grace", "limit": 10}, 0.02),
            ("tickets:get", {"ticket": number}, 0.004),
            ("tickets:get", {"ticket": number + 1}, 0.004),
            ("customers:get", {"customer": f"C-{number}", "fields": ["name", "plan"]}, 0.006),
            ("kb:search", {"query": "how do I reset my password?", "top": 5}, 0.09),
            ("kb:search", {"query": f"invoice {number} is wrong", "top": 3}, 0.11),
            ("tickets:comment", {"ticket": number, "text": "We are looking into it."}, 0.012),
            ("orders:refund", {"order": f"O-{number}", "cents": number, "notify": True}, 0.3),
        )
    )


def entries(count: int) -> Iterator[AnyEntry]:
    """Return the entries of so many operations, in runs of some, in conversations of some runs."""
    chance = random.Random(7)  # noqa: S311 - nothing is kept secret by it
    time, number, run, left, enclave = BEGIN, 0, 0, 0, ""
    for _ in range(count):
        if not left:
            left, run = chance.randint(1, 14), run + 1
            time += chance.expovariate(1 / 20)
            if not enclave or chance.random() < 0.25:
                enclave, run, number = f"{chance.getrandbits(64):016x}", 1, 0
        left, number = left - 1, number + 1
        time += chance.expovariate(1 / 0.15)
        if chance.random() < 0.06:
            name, arguments, denial = chance.choice(DENIED)
            yield an_attempt(enclave, run, number, time, name, arguments, denial)
            continue
        name, arguments, takes = allowed(chance)
        yield an_attempt(enclave, run, number, time, name, arguments, "allow")
        took = takes * chance.lognormvariate(0, 0.5)
        time += took
        ending = chance.choices(("returned", "raised", "abandoned", ""), (970, 20, 5, 5))[0]
        if ending:
            yield an_outcome(enclave, run, number, time, ending, took)


def written(path: Path, given: Sequence[AnyEntry] | Iterator[AnyEntry]) -> Path:
    """Write a trail of the kind that its name asks for."""
    kind = JsonlSink if path.suffix == ".jsonl" else SqliteSink
    with kind(path, programs=True) as sink:
        if entries := list(given):
            sink.write(entries)
    return path


MARKUP: Final = "</script><img src=x onerror=\"window.pwned=1;document.title='pwned'\">"
HOSTILE: Final[dict[str, str]] = {
    "markup": MARKUP,
    "script": "<script>window.pwned=1</script>",
    "comment": "<!--<script>",
    "attribute": "\" onclick='window.pwned=1' x=\"",
    "entity": "&lt;b&gt;&amp;",
    "template": "{{data}}{{script}}${window.pwned=1}",
    "prototype": "__proto__",
    "reordering": "abc\u202e\u2066fed\u200b\u200f",
    "lines": "one\u2028two\u2029three\nfour\tfive",
    "nulls": "a\x00b\x07c\x7f",
    "terminal": "\x1b]0;pwned\x07\x1b[31mred\x9b2J",
    "long": "x" * 20_000,
    "unbroken": "\u6f22" * 300,
    "marks": "e" + "\u0301" * 200,
}


def hostile() -> Iterator[AnyEntry]:
    """Return operations whose names, arguments and reasons are meant to be more than text."""
    for number, text in enumerate(HOSTILE.values(), 1):
        denial = Deny("names", "unregistered", f"no tool is called {text}")
        time = BEGIN + number
        yield an_attempt("ab" * 8, 1, number, time, text, {text: [text, {"deep": text}]}, denial)
    half = {"half": "a\ud800b", "kinds": {1, 2}, "bytes": b"\x00<b>"}
    arguments = encode(half).hex()  # as a sink keeps what JSON does not
    yield an_attempt("ab" * 8, 1, 99, BEGIN + 99, "notes:add", arguments, "allow")


def every_kind() -> Iterator[AnyEntry]:
    """Return a run in which everything happens that can happen to an operation."""
    enclave = "c0ffee0123456789"
    score: dict[str, Any] = {"score": 35, "decision": "warn", "signals": []}
    yield an_attempt(enclave, 1, 1, BEGIN, "", score, "allow")
    yield an_outcome(enclave, 1, 1, BEGIN, "scored", 0.002)
    for number, ending in enumerate(("returned", "raised", "abandoned", ""), 2):
        yield an_attempt(enclave, 1, number, BEGIN + number, "kb:search", {"top": number}, "allow")
        if ending:
            yield an_outcome(enclave, 1, number, BEGIN + number, ending, 0.25)
    for number, (name, given, denial) in enumerate(DENIED, 6):
        yield an_attempt(enclave, 1, number, BEGIN + number, name, given, denial)
    unavailable = Deny("audit", "unavailable", "it could not be put on record")
    yield an_attempt(enclave, 1, 20, BEGIN + 20, "kb:search", {}, unavailable)
    tried = Tried(WouldDeny("sequence", "DELETE_AFTER_ACCESS", "data was read and is deleted"))
    yield an_attempt(enclave, 1, 21, BEGIN + 21, "tickets:delete", {"ticket": 1000}, tried)
    yield an_outcome(enclave, 1, 21, BEGIN + 21, "returned", 0.1)
    blocked = Deny("scoring", "block_threshold", "it scores 90 of 100")
    yield an_attempt(enclave, 2, 22, BEGIN + 22, "", {"score": 90, "decision": "block"}, blocked)
    yield an_outcome(enclave, 2, 22, BEGIN + 22, "scored", 0.002)


def of_a_program() -> Iterator[AnyEntry]:
    """Return a program and what its third line attempted."""
    yield program(source="# a task\nfor n in range(4):\n    kb.search('<b>')\u202e\n", time=BEGIN)
    yield an_attempt("e" * 16, 1, 1, BEGIN, "kb:search", {"query": "<b>"}, DENIED[0][2], line=3)


def write_example() -> None:
    """Write the trail in examples/help_desk anew."""
    path = ROOT / "examples" / "help_desk" / "trail.jsonl"
    path.unlink(missing_ok=True)
    written(path, entries(80)).chmod(0o644)
    path.with_name(f"{path.name}.lock").unlink()


if __name__ == "__main__":  # after a change of the format: python -m tests.looking.sample
    write_example()
