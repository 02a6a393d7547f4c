"""A collector on loopback: takes OTLP over HTTP and reads what came, as a real one does."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.runtime import tracing
from shared.runtime.spans import Door


@dataclass(frozen=True, slots=True)
class Told:
    """A span as it came."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[str, ...]
    began: int
    attributes: dict[str, str]
    failed: bool
    events: int


@dataclass
class Collector:
    """`silent`: it takes what comes and never answers."""

    silent: bool = False
    raw: bytearray = field(default_factory=bytearray)
    spans: list[Told] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.silent:
            await asyncio.sleep(3600)
        self.raw += body
        self.spans += read(body)
        return web.Response(content_type="application/x-protobuf")

    def trace(self, trace_id: str) -> list[Told]:
        """In the order in which they began."""
        return sorted((s for s in self.spans if s.trace_id == trace_id), key=lambda s: s.began)

    async def until(
        self, good: Callable[[list[Told]], bool], what: str, within: float = 30.0
    ) -> None:
        deadline = time.monotonic() + within
        while not good(self.spans):
            assert time.monotonic() < deadline, (what, sorted({s.name for s in self.spans}))
            await asyncio.sleep(0.1)


@asynccontextmanager
async def collecting(collector: Collector, port: int = 0) -> AsyncIterator[str]:
    """Its base URL."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def read(body: bytes) -> list[Told]:
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    return [
        _told(_values(resource.resource.attributes)["service.name"], span)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _told(service: str, span: Any) -> Told:
    return Told(
        service.removeprefix("hartline-"),
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        tuple(link.trace_id.hex() for link in span.links),
        span.start_time_unix_nano,
        _values(span.attributes),
        failed=span.status.code == 2,
        events=len(span.events),
    )


def _values(attributes: Any) -> dict[str, str]:
    return {
        each.key: str(getattr(each.value, each.value.WhichOneof("value"))) for each in attributes
    }


@contextmanager
def in_memory() -> Iterator[Callable[[], list[ReadableSpan]]]:
    """Tracing is on, for every call; in the end, what would have been exported, as it is asked."""
    exporter = InMemorySpanExporter()
    door = Door("test", exporter, ratio=1.0, trusting=False)

    def exported() -> list[ReadableSpan]:
        door.flush()
        return list(exporter.get_finished_spans())

    tracing.use(door)
    try:
        yield exported
    finally:
        tracing.close()
