"""Would-be denials in stored trails: operations that were let through, with what objected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from doublevm import Deny, DoubleVM, ParentValidation, WouldDeny
from doublevm.audit import Filter, OpenTelemetrySink, Redact, read_trail, verify_trail
from doublevm.host.sinks.entries import Tried, decode_entry, encode_entry
from tests.audit.making import attempt, ended, opened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.behaviour.drivers import Opens

WOULD = WouldDeny("names", "blocked", "why")


def drop() -> None:
    """Drop."""


def test_they_are_stored_with_their_outcome(open_enclave: Opens, kind: str, tmp_path: Path) -> None:
    policy = ParentValidation(enforce=False, blocked_operation_patterns=("drop",))
    with opened(kind, tmp_path) as sink:
        with pytest.warns(UserWarning, match="enforce=False"):
            enclave = open_enclave(
                tools=[drop], audit=sink, double_vm=DoubleVM(parent_validation=policy)
            )
        assert enclave.run("drop()").success
        reader = read_trail(sink.path)
        (stored,) = reader.operations(Filter(allowed=True))
        assert list(reader.operations(Filter(allowed=False))) == []
    assert stored.verdict == WouldDeny("names", "blocked", "its name is blocked")
    assert stored.outcome == "returned"
    found = verify_trail(sink.path)
    assert (found.ok, found.unknown) == (True, 0)


def test_a_host_that_died_left_them_unknown(kind: str, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as sink:
        sink.write([attempt(verdict=Tried(WOULD))])
        (stored,) = read_trail(sink.path).operations()
    assert (stored.outcome, verify_trail(sink.path).unknown) == ("unknown", 1)


def test_the_line_says_so() -> None:
    line = encode_entry(attempt(verdict=Tried(WOULD)))
    objection = b'{"would_deny":{"barrier":"names","reason":"why","rule":"blocked"}}'
    assert b'"verdict":' + objection in line
    assert decode_entry(line) == attempt(verdict=Tried(WOULD))
    denied = attempt(verdict=Deny("names", "blocked", "why"))
    assert decode_entry(encode_entry(denied)) == denied


@pytest.mark.parametrize(
    "verdict",
    [
        "deny",
        {},
        {"would_deny": {}},
        {"would_deny": "allow"},
        {"would_deny": {"barrier": "a", "rule": "b", "reason": "c"}, "barrier": "a"},
        {"barrier": "a", "rule": "b"},
        ["a", "b", "c"],
    ],
)
def test_what_is_no_verdict_is_no_entry(verdict: Any) -> None:
    line = msgspec.json.decode(encode_entry(attempt()))
    with pytest.raises(msgspec.ValidationError):
        decode_entry(msgspec.json.encode({**line, "verdict": verdict}))


def test_their_reasons_are_redacted(kind: str, tmp_path: Path) -> None:
    redact = Redact(patterns=["wh."])
    with opened(kind, tmp_path, redact=redact) as sink:
        sink.write([attempt(verdict=Tried(WOULD))])
        (stored,) = read_trail(sink.path).operations()
    assert stored.verdict == WouldDeny("names", "blocked", redact.marker("pattern", "why"))


@pytest.mark.parametrize("arguments", [False, True])
def test_they_are_events_of_spans(*, arguments: bool) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    sink = OpenTelemetrySink(provider, arguments=arguments)
    sink.write([attempt(verdict=Tried(WOULD)), ended()])
    (span,) = exporter.get_finished_spans()
    assert (span.attributes or {})["doublevm.verdict"] == "would_deny"
    assert span.status.is_ok
    names = [event.name for event in span.events]
    assert names == [
        "doublevm.operation.would_deny",
        "doublevm.operation.allowed",
        "doublevm.operation.ended",
    ]
    about = {"doublevm.rule": "names/blocked"} | ({"doublevm.reason": "why"} if arguments else {})
    assert dict(span.events[0].attributes or {}) == about
