"""Notices that are traced: what follows their plan, and that no partner learns of it (P4)."""

from datetime import timedelta

from opentelemetry.sdk.trace import ReadableSpan
from sqlalchemy import select

from services.notify import models
from shared.runtime import tracing
from shared.runtime.ids import utc_now
from tests.support.collector import in_memory
from tests.support.deliveries import World, decrypt, eventually
from tests.support.receiver import Receiver, answer

TRACE, PLAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PLAN}-01"


async def test_p4_an_attempt_follows_its_plan_and_nothing_of_it_is_sent(
    world: World, receiver: Receiver
) -> None:
    """By webhook with content and without; mail is written of the same two letters."""
    agencies = [
        await world.agency(receiver.url),
        await world.agency(receiver.url, channel="pickup", encryption_key=None),
    ]
    notices = [await world.notice(each, traceparent=TRACEPARENT) for each in agencies]
    with in_memory() as exported:
        async with world.delivering():
            await eventually(lambda: _all(world, notices, "delivered"))
        spans = exported()
    assert {_attribute(span, "hartline.notice") for span in spans} == set(notices)
    for span in spans:
        assert (span.name, _attribute(span, "hartline.outcome")) == ("attempt", "accepted")
        assert span.context.trace_id == int(TRACE, 16)
        assert span.parent is not None
        assert span.parent.span_id == int(PLAN, 16)
    for request in receiver.requests:
        said = " ".join([*request.headers, *request.headers.values()]).lower()
        assert "trace" not in said
        body = request.body if b"hartline" in request.body else decrypt(request.body)
        assert not [word for word in (TRACE, PLAN, "traceparent") if word in said + str(body)]


async def test_the_events_of_a_delivery_follow_it(world: World, receiver: Receiver) -> None:
    """The record of an attempt follows the plan, its outcome the attempt."""
    notice = await world.notice(await world.agency(receiver.url), traceparent=TRACEPARENT)
    with in_memory() as exported:
        async with world.delivering():
            await eventually(lambda: _all(world, [notice], "delivered"))
        (span,) = exported()
    bodies = await _bodies(world)
    assert len(bodies) == 3
    assert TRACEPARENT in bodies[0]
    ours = f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert all(ours in body for body in bodies[1:])


async def test_a_retry_days_later_is_a_trace_of_its_own_that_links_to_the_plan(
    world: World, receiver: Receiver
) -> None:
    planned = utc_now() - timedelta(days=2)
    receiver.script = [answer(500)]
    notice = await world.notice(
        await world.agency(receiver.url), traceparent=TRACEPARENT, planned_at=planned
    )
    with in_memory() as exported:
        async with world.delivering():
            await eventually(lambda: _state(world, notice, "pending"))
            await world.make_due(notice)
            await eventually(lambda: _all(world, [notice], "delivered"))
        spans = exported()
    assert [_attribute(span, "hartline.outcome") for span in spans] == ["rejected", "accepted"]
    for span in spans:
        assert span.parent is None
        assert [link.context.trace_id for link in span.links] == [int(TRACE, 16)]
    assert len({span.context.trace_id for span in spans}) == 2
    assert not [body for body in await _bodies(world) if TRACE in body]


async def test_a_notice_that_is_not_traced_makes_no_span(world: World, receiver: Receiver) -> None:
    notice = await world.notice(await world.agency(receiver.url))
    with in_memory() as exported:
        async with world.delivering():
            await eventually(lambda: _all(world, [notice], "delivered"))
        assert exported() == []
    assert not [body for body in await _bodies(world) if "traceparent" in body]


async def test_switched_off_a_notice_that_was_traced_is_delivered_as_any_other(
    world: World, receiver: Receiver
) -> None:
    assert not tracing.on()
    notice = await world.notice(await world.agency(receiver.url), traceparent=TRACEPARENT)
    async with world.delivering():
        await eventually(lambda: _all(world, [notice], "delivered"))
    assert not [body for body in await _bodies(world) if "traceparent" in body]


async def _bodies(world: World) -> list[str]:
    table = models.OUTBOX.outbox
    return [row.body.decode() for row in await world.rows(select(table).order_by(table.c.id))]


def _attribute(span: ReadableSpan, name: str) -> object:
    return (span.attributes or {}).get(name)


async def _all(world: World, notices: list[str], state: str) -> bool:
    return [await world.state(each) for each in notices] == [state] * len(notices)


async def _state(world: World, notice: str, state: str) -> bool:
    facts = await world.facts(notice)
    return await world.state(notice) == state and facts != [""] and facts != []
