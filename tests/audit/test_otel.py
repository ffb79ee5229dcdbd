"""Spans and events, as the SDK's own exporter in memory has them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from doublevm import ConfigError, Limits
from doublevm.audit import OpenTelemetrySink, Redact
from doublevm.verdict import Deny
from tests.audit.making import attempt, ended

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from tests.behaviour.drivers import Opens

SECRET = "AKIA" + "IOSFODNN7EXAMPLE"


class Spans:
    """A provider that keeps what has ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def ended(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def by_name(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.ended()}


@pytest.fixture
def spans() -> Spans:
    return Spans()


def events(span: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in span.events]


def test_a_span_has_the_attributes_of_the_conventions(spans: Spans) -> None:
    sink = OpenTelemetrySink(spans.provider)
    sink.write([attempt(7)])
    assert spans.ended() == [], "it ends with its outcome"
    sink.write([ended(7)])
    (span,) = spans.ended()
    assert span.name == "execute_tool users:list"
    assert span.kind == SpanKind.INTERNAL
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "users:list",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": f"{'e' * 16}/1/7",
        "doublevm.enclave": "e" * 16,
        "doublevm.run": 1,
        "doublevm.number": 7,
        "doublevm.verdict": "allow",
        "code.line.number": 3,
    }
    assert events(span) == [
        ("doublevm.operation.allowed", {}),
        ("doublevm.operation.ended", {"doublevm.outcome": "returned", "doublevm.duration": 0.25}),
    ]
    assert span.status.status_code == StatusCode.UNSET
    assert (span.start_time, span.end_time) == (1_007_000_000_000, 1_007_500_000_000)


@pytest.mark.parametrize("outcome", ["raised", "abandoned"])
def test_a_failure_is_an_error(spans: Spans, outcome: str) -> None:
    OpenTelemetrySink(spans.provider).write([attempt(), ended(outcome=outcome)])
    (span,) = spans.ended()
    assert span.status.status_code == StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == outcome


def test_a_denial_is_a_span_of_its_own(spans: Spans) -> None:
    verdict = Deny("names", "unregistered", f"no {SECRET}")
    OpenTelemetrySink(spans.provider).write([attempt(verdict=verdict)])
    (span,) = spans.ended()
    assert (span.attributes or {})["error.type"] == "names/unregistered"
    assert events(span) == [
        ("doublevm.operation.denied", {"doublevm.rule": "names/unregistered"}),
    ]
    assert SECRET not in span.to_json()


def test_arguments_are_there_when_asked_for(spans: Spans) -> None:
    sink = OpenTelemetrySink(spans.provider, arguments=True, redact=Redact(fields=["pin"]))
    verdict = Deny("names", "unregistered", f"no {SECRET}")
    sink.write([attempt(arguments={"key": SECRET, "pin": 1234, "n": 5}, verdict=verdict)])
    sink.write([attempt(2, arguments={"text": "x" * 20_000}), ended(2)])
    denied, long = spans.ended()
    text = str((denied.attributes or {})["gen_ai.tool.call.arguments"])
    assert '"n":5' in text
    assert "doublevm.reason" in events(denied)[0][1]
    assert SECRET not in denied.to_json()
    assert "1234" not in text
    assert len(str((long.attributes or {})["gen_ai.tool.call.arguments"])) == 8192


def test_an_outcome_without_its_attempt_is_no_span(spans: Spans) -> None:
    OpenTelemetrySink(spans.provider).write([ended()])
    assert spans.ended() == []


def test_closed_it_ends_what_is_open(spans: Spans) -> None:
    with OpenTelemetrySink(spans.provider) as sink:
        sink.write([attempt()])
    assert len(spans.ended()) == 1


def hello(name: str) -> str:
    return f"hello {name}"


def test_spans_of_a_run_are_children_of_the_callers(spans: Spans, open_enclave: Opens) -> None:
    """Whatever thread the driver lives in."""
    enclave = open_enclave(tools=[hello], audit=OpenTelemetrySink(spans.provider))
    with spans.provider.get_tracer("test").start_as_current_span("agent") as agent:
        enclave.run(f"hello('{SECRET}')")
        enclave.run(f"call_tool('{SECRET}')")
    found = spans.by_name()
    for name, span in found.items():
        assert name == "agent" or span.parent == agent.get_span_context()
        assert SECRET not in span.to_json()
    assert len(found) == 3


def test_an_abandoned_operation_ends_its_span(spans: Spans, open_enclave: Opens) -> None:
    import time

    def wait() -> None:
        time.sleep(30)

    sink = OpenTelemetrySink(spans.provider)
    open_enclave(tools=[wait], audit=sink, limits=Limits(timeout=0.5)).run("wait()")
    (span,) = spans.ended()
    assert (span.attributes or {})["error.type"] == "abandoned"


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigError, match=r"install doublevm\[otel\]"):
        OpenTelemetrySink()


def test_a_score_is_a_span_and_no_call_of_a_tool(spans: Spans) -> None:
    sink = OpenTelemetrySink(spans.provider)
    sink.write([attempt(7, operation=""), ended(7, outcome="scored")])
    blocked = Deny("scoring", "block_threshold", "80")
    sink.write([attempt(8, operation="", verdict=blocked), ended(8, outcome="scored")])
    allowed, denied = spans.ended()
    assert allowed.name == denied.name == "score_program"
    assert allowed.status.status_code is StatusCode.UNSET
    assert denied.status.status_code is StatusCode.ERROR
    assert not any(name.startswith("gen_ai.") for name in allowed.attributes or {})
