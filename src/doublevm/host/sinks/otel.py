"""Operations as OpenTelemetry spans, named as its conventions for generative AI name tools' calls.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/#execute-tool-span: attributes
``gen_ai.*`` are of there, ``code.line.number`` of the conventions for source code, ``doublevm.*``
our own. Arguments are left out unless they are asked for, as the conventions say. A span is the
child of whatever span the caller of ``run()`` was in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from doublevm.errors import ConfigError
from doublevm.host.sinks.base import BaseSink
from doublevm.host.sinks.entries import Attempt, Ended
from doublevm.host.sinks.redact import Redact
from doublevm.verdict import Deny

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Span, TracerProvider

    from doublevm.host.sinks.entries import AnyEntry

LONGEST_ARGUMENTS: Final = 8192
"""Characters of arguments on a span: backends refuse spans that are much larger."""

SCORED: Final = "score_program"
"""The name of the span of a program that was scored: it is no tool that was called."""


class OpenTelemetrySink(BaseSink):
    """Makes a span of each operation, from its attempt to its outcome, with an event for both."""

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        *,
        arguments: bool = False,
        required: bool = False,
        redact: Redact | None = None,
    ) -> None:
        """Use a provider of tracers; None: the one that is set globally.

        Args:
            tracer_provider: it also says how spans are queued, batched and dropped.
            arguments: whether spans have the arguments and the reasons of denials.
            required: whether operations whose span cannot be begun are denied.
            redact: what is left out. None: everything that looks like a secret.

        Raises:
            ConfigError: an option is wrong, or opentelemetry is not installed.
        """
        try:
            from opentelemetry import trace  # noqa: PLC0415 - an extra
        except ImportError:
            raise ConfigError(
                "OpenTelemetrySink needs the package opentelemetry-api: install doublevm[otel]"
            ) from None
        super().__init__(required=required, redact=redact or Redact())
        self._trace, self._arguments = trace, arguments
        self._tracer = trace.get_tracer("doublevm", tracer_provider=tracer_provider)
        self._open: dict[tuple[str, int], Span] = {}

    @property
    def blocking(self) -> bool:
        """Never: exporting is the provider's business."""
        return False

    def _keep(self, entries: Sequence[AnyEntry]) -> None:
        for entry in entries:
            if isinstance(entry, Attempt):
                self._begin(entry)
            elif isinstance(entry, Ended):
                self._finish(entry)

    def _begin(self, attempt: Attempt) -> None:
        began = _nanoseconds(attempt.time)
        span = self._tracer.start_span(
            f"execute_tool {attempt.operation}" if attempt.operation else SCORED,
            kind=self._trace.SpanKind.INTERNAL,
            attributes=self._attributes(attempt),
            start_time=began,
        )
        verdict = attempt.verdict
        if not isinstance(verdict, Deny):
            span.add_event("doublevm.operation.allowed", timestamp=began)
            self._open[attempt.enclave, attempt.number] = span
            return
        about = {"doublevm.rule": verdict.address}
        if self._arguments:
            about["doublevm.reason"] = verdict.reason
        span.add_event("doublevm.operation.denied", about, timestamp=began)
        self._fail(span, verdict.address)
        span.end(began)

    def _attributes(self, attempt: Attempt) -> dict[str, Any]:
        denied = isinstance(attempt.verdict, Deny)
        attributes: dict[str, Any] = {
            "doublevm.enclave": attempt.enclave,
            "doublevm.run": attempt.run,
            "doublevm.number": attempt.number,
            "doublevm.verdict": "deny" if denied else "allow",
        }
        if attempt.operation:
            attributes |= {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": attempt.operation,
                "gen_ai.tool.type": "function",
                "gen_ai.tool.call.id": f"{attempt.enclave}/{attempt.run}/{attempt.number}",
            }
        if attempt.line is not None:
            attributes["code.line.number"] = attempt.line
        if self._arguments:
            text = msgspec.json.encode(attempt.arguments).decode()
            attributes["gen_ai.tool.call.arguments"] = text[:LONGEST_ARGUMENTS]
        return attributes

    def _finish(self, outcome: Ended) -> None:
        span = self._open.pop((outcome.enclave, outcome.number), None)
        if span is None:  # its attempt could not be begun
            return
        ended = _nanoseconds(outcome.time)
        about = {"doublevm.outcome": outcome.outcome, "doublevm.duration": outcome.duration}
        span.add_event("doublevm.operation.ended", about, timestamp=ended)
        if outcome.outcome not in ("returned", "scored"):
            self._fail(span, outcome.outcome)
        span.end(ended)

    def _fail(self, span: Span, kind: str) -> None:
        span.set_attribute("error.type", kind)
        span.set_status(self._trace.StatusCode.ERROR, kind)

    def _end(self) -> None:
        for span in self._open.values():
            span.end()
        self._open.clear()


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
