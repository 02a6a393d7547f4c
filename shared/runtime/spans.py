"""The one door to OpenTelemetry. Imported only where tracing is on.

Its provider is not the global one: what a library records of itself goes nowhere.
"""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode

from shared.runtime import metrics
from shared.runtime.trace_list import SPANS, permitted

_EXPORT_SECONDS = 5
_CLOSE_SECONDS = 2.0
_QUEUE = 4096
"""Spans that wait for the collector; beyond them new ones take the places of old ones."""


class Span:
    """One span, from its start to its end. It is sampled: there is none otherwise."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: trace.Span) -> None:
        context = span.get_span_context()
        self._span = span
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"

    def end(
        self, *, name: str | None = None, error: str | None = None, **attributes: object
    ) -> None:
        """`error`: a class's name, never its text."""
        if name is not None:
            self._span.update_name(name)
        _set(self._span, attributes)
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class Door:
    """Starts spans. Whoever calls has decided that they are sampled."""

    def __init__(
        self, service: str, exporter: SpanExporter, *, ratio: float, trusting: bool
    ) -> None:
        self.ratio = ratio
        self.trusting = trusting
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource({"service.name": f"hartline-{service}"}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(Listed(exporter), max_queue_size=_QUEUE)
        )
        self._tracer = self._provider.get_tracer("hartline")

    def start(
        self,
        name: str,
        kind: str,
        *,
        parent: str | None = None,
        link: str | None = None,
        began: datetime | None = None,
        **attributes: object,
    ) -> Span:
        span = self._tracer.start_span(
            name,
            context=_context(parent),
            kind=SpanKind[kind.upper()],
            links=[Link(_parsed(link))] if link else [],
            start_time=_nanoseconds(began) if began else None,
        )
        _set(span, attributes)
        return Span(span)

    def flush(self) -> None:
        """Blocks until what has ended is exported."""
        self._provider.force_flush()

    def close(self) -> None:
        """A collector that does not answer holds up nobody: what is left then is lost."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)


def open_door(service: str, collector: str, *, ratio: float, trusting: bool) -> Door:
    """`collector`: base URL of what takes OTLP over HTTP."""
    session = requests.Session()
    session.trust_env = False
    exporter = OTLPSpanExporter(
        f"{collector.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS, session=session
    )
    return Door(service, exporter, ratio=ratio, trusting=trusting)


class Listed(SpanExporter):
    """Lets out what is on the list, and counts what is not. Runs beside the work, in the thread
    that exports."""

    def __init__(self, behind: SpanExporter) -> None:
        self._behind = behind

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        kept = [listed(span) for span in spans if _named(span)]
        return self._behind.export(kept) if kept else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._behind.shutdown()


def _named(span: ReadableSpan) -> bool:
    if SPANS.fullmatch(span.name):
        return True
    metrics.TRACE_DROPPED.labels("span").inc()
    return False


def listed(span: ReadableSpan) -> ReadableSpan:
    """The span with what it may hold: no event, no status text, no attribute of a link."""
    given = span.attributes or {}
    kept = {name: value for name, value in given.items() if permitted(name, value)}
    metrics.TRACE_DROPPED.labels("attribute").inc(len(given) - len(kept))
    metrics.TRACE_DROPPED.labels("event").inc(len(span.events))
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=kept,
        links=[Link(link.context) for link in span.links],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _set(span: trace.Span, attributes: dict[str, object]) -> None:
    """`http_route` stands for `http.route`, what has no namespace for `hartline.…`."""
    for name, value in attributes.items():
        span.set_attribute(_NAMES.get(name, f"hartline.{name}"), value)  # type: ignore[arg-type]


_NAMES = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "topic": "messaging.destination.name",
}


def _context(parent: str | None) -> Context:
    """Never the current one of OpenTelemetry's own: what follows what is ours to say."""
    nothing = Context()
    if parent is None:
        return nothing
    return trace.set_span_in_context(NonRecordingSpan(_parsed(parent)), nothing)


def _parsed(traceparent: str) -> SpanContext:
    """As a sampled one: that is decided by now."""
    _, trace_id, span_id, _ = traceparent.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=trace.TraceFlags(1)
    )


def _nanoseconds(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
