"""Spans of an event's way: published, received, handled. Each follows what the event follows."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from shared.contracts.base import Event, EventData
from shared.messaging.handler import Handler
from shared.messaging.handover import Prepared, Ready
from shared.runtime import tracing

_MARK = b'"traceparent":"'
_DATA = b',"data":'
_KINDS = {"publish": "producer", "receive": "consumer"}


def trace_bodies(what: str, bodies: Iterable[tuple[str, bytes | None]], began: datetime) -> None:
    """Of those of (topic, body) that are traced: `what` has been done with them since `began`."""
    for topic, body in bodies:
        head = body.partition(_DATA)[0] if body is not None else b""
        if _MARK in head and (found := _read(head)) is not None:
            name, kind = f"{what} {topic}", _KINDS[what]
            span = tracing.follow(name, kind, *found, began=began, topic=topic)
            if span is not None:
                span.end()


def _read(head: bytes) -> tuple[str | None, datetime] | None:
    """`traceparent` and `time` of an envelope as `outbox` writes it; None of any other."""
    try:
        envelope = json.loads(head + b"}")
        since = datetime.fromisoformat(envelope["time"])
        traceparent = tracing.well_formed(envelope["traceparent"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return None if since.tzinfo is None else (traceparent, since)


async def prepare(handler: Handler[Any], event: Event, data: EventData) -> Prepared:
    """What the worker does of an event that is traced: what it asks of others follows it too."""
    span = tracing.follow(
        f"handle {event.type}",
        "consumer",
        tracing.well_formed(event.traceparent),
        event.time,
        topic=data.topic.value,
    )
    if span is None:
        return Prepared(event, data, await handler.prepare(event, data))
    try:
        with tracing.carrying({tracing.ANY: span.traceparent}):
            material = await handler.prepare(event, data)
    except BaseException as error:
        span.end(error=type(error).__name__)
        raise
    return Prepared(event, data, material, span)


@contextmanager
def carried(group: Sequence[Ready]) -> Iterator[None]:
    """What is emitted about a subject within follows the handling of its event."""
    following = {p.event.subject: p.span.traceparent for p in _traced(group) if p.span}
    with tracing.carrying(following):
        yield


def end(group: Sequence[Ready], error: Exception | None = None) -> None:
    """Their effects are committed; or they failed, and are handled again later."""
    for each in _traced(group):
        if each.span is not None:
            each.span.end(error=None if error is None else type(error).__name__)


def _traced(group: Sequence[Ready]) -> Iterator[Prepared]:
    return (each for ready in group for each in ready.events if each.span is not None)
