"""Events that are traced: through the outbox, past failures, and beside those that are not."""

import asyncio
import json

from shared.contracts.base import Event
from shared.messaging.bus import Incoming
from shared.messaging.traced import trace_bodies
from shared.runtime import tracing
from shared.runtime.errors import Permanent
from shared.runtime.ids import new_id, utc_now
from tests.integration.messaging.conftest import Service, received, record
from tests.integration.messaging.test_messaging_inbox_worker import until, working
from tests.support.collector import in_memory

TRACE, CALL = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALL}-01"
_MARK = f'{{"traceparent":"{TRACEPARENT}",'.encode()
_HOSTILE = (
    None,
    b"",
    b"\xff",
    b'{"traceparent":"',
    b'{"traceparent":"x","time":"2026-11-23T14:00:00Z"',
    _MARK + b'"time":1',
    _MARK + b'"time":"2026-11-23T14:00:00"',
    _MARK + b'"time":' + b"[" * 100_000,
)


async def test_an_event_carries_what_its_subject_follows_and_others_nothing(
    service: Service,
) -> None:
    traced, other = new_id("ref"), new_id("ref")
    with in_memory(), tracing.carrying({traced: TRACEPARENT}):
        await service.emit(received(traced), received(other))
    await service.emit(received(traced))
    rows = await service.fetch("SELECT body FROM svc.outbox ORDER BY id")
    events = [Event.model_validate_json(row.body) for row in rows]
    assert [event.traceparent for event in events] == [TRACEPARENT, None, None]
    assert ["traceparent" in json.loads(row.body) for row in rows] == [True, False, False]


async def test_a_handled_event_is_a_span_and_a_failed_one_says_so(service: Service) -> None:
    good, bad, other = new_id("ref"), new_id("ref"), new_id("ref")
    service.recorder.fail_apply[bad] = Permanent("Test Child One")
    with in_memory() as exported:
        await service.receive(
            traced(record(0, good, 1, emitted_at=utc_now())),
            traced(record(1, bad, 1, emitted_at=utc_now())),
            record(2, other, 1, emitted_at=utc_now()),
        )
        async with working(service):
            await until(lambda: len({s for s, _, _ in service.recorder.applied}) == 2)
            await until_parked(service)
        spans = exported()
    errors = [(span.attributes or {}).get("error.type") for span in spans]
    assert sorted(errors, key=str) == [None, "Permanent"]
    assert {span.name for span in spans} == {"handle hartline.referral.received.v1"}
    assert {span.context.trace_id for span in spans} == {int(TRACE, 16)}
    assert "Test Child" not in "".join(span.to_json() for span in spans)


async def test_events_sent_again_much_later_link_to_their_trace(service: Service) -> None:
    subject = new_id("ref")
    with in_memory() as exported:
        await service.receive(traced(record(0, subject, 1)))
        async with working(service):
            await until(lambda: len(service.recorder.applied) == 1)
        (span,) = exported()
    assert span.parent is None
    assert [link.context.trace_id for link in span.links] == [int(TRACE, 16)]


async def test_a_body_that_is_none_of_ours_is_no_span_and_no_error() -> None:
    with in_memory() as exported:
        for body in _HOSTILE:
            trace_bodies("receive", [("referrals", body)], utc_now())
        assert exported() == []


async def until_parked(service: Service) -> None:
    async with asyncio.timeout(5):
        while not await service.fetch(
            "SELECT 1 FROM svc.inbox_streams WHERE parked_at IS NOT NULL"
        ):
            await asyncio.sleep(0.02)


def traced(incoming: Incoming) -> Incoming:
    assert incoming.body is not None
    event = Event.model_validate_json(incoming.body)
    body = event.model_copy(update={"traceparent": TRACEPARENT}).model_dump_json().encode()
    return Incoming(incoming.topic, incoming.partition, incoming.offset, body)
