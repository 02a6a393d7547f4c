"""C29 at notify: the key goes at once, and every notice under way ends in a state with a task."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.notify.consumer import PlanReferral
from services.notify.models import OUTBOX, child_keys, copies
from services.notify.planning.copies import open_copy
from services.notify.shredding import Shred, finish_once
from shared.contracts.base import Source
from shared.contracts.notices import NoticesClosed
from shared.contracts.shredding import ContentShredded, ShredOrdered
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.errors import Gone
from shared.runtime.ids import new_id, utc_now
from shared.runtime.sealing import Shredded, WrappedKey
from tests.support.deliveries import World, eventually
from tests.support.planning import Child, FakeIntake, Planning, agencies, envelope, seed
from tests.support.receiver import Behaviour, Receiver, answer

OUT = Outbox(OUTBOX, Source.NOTIFY)
_FAIL = (
    "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE 'not this one'; END $$; "
    "CREATE TRIGGER fail BEFORE UPDATE ON notify.deliveries FOR EACH ROW "
    "WHEN (NEW.notice_id = '{}') EXECUTE FUNCTION fail()"
)


async def order(world: World, child_id: str) -> ShredOrdered:
    """Handed to the handler, as the worker does."""
    data = ShredOrdered(
        referral_id=world.referral_id,
        shredding_id=new_id("shr"),
        child_id=child_id,
        ordered_at=utc_now(),
    )
    await take(world.db, data)
    return data


def late(receiver: Receiver, status: int) -> Behaviour:
    """Answers when it is let."""

    async def behave(request: Any, writer: asyncio.StreamWriter) -> None:
        await receiver.released.wait()
        await answer(status)(request, writer)

    return behave


async def take(db: Database, data: ShredOrdered) -> None:
    handler = Shred(OUT)
    event = envelope(data)
    await handler.prepare(event, data)
    async with db.transaction() as session:
        await handler.apply(session, event, data, None)


async def test_c29_no_key_that_ever_was_opens_a_copy(world: World) -> None:
    agency = await world.agency("http://127.0.0.1:9/none")
    notice = await world.notice(agency)
    child = await world.child_of(notice)
    (copy,) = await world.rows(copies.select())
    (before,) = await world.rows(child_keys.select())
    place = child, 1, "law_enforcement", copy.sealed
    old = WrappedKey(before.kek_version, before.wrapped)
    assert open_copy(world.sealer, old, *place)["name"] == "Test Child One"
    await order(world, child)
    (left,) = await world.rows(child_keys.select())
    assert left.wrapped == b""
    with pytest.raises(Shredded):
        open_copy(world.sealer, WrappedKey(left.kek_version, left.wrapped), *place)


async def test_c29_what_waits_is_closed_with_a_task_and_confirmed_at_once(world: World) -> None:
    agency = await world.agency("http://127.0.0.1:9/none")
    waiting = await world.notice(agency)
    child = await world.child_of(waiting)
    blocked = await world.notice(agency, child_id=child, version=2, state="blocked")
    sibling = await world.notice(agency)
    ordered = await order(world, child)
    assert [await world.state(each) for each in (waiting, blocked, sibling)] == [
        "closed",
        "closed",
        "pending",
    ]
    closed, confirmed = await world.events(NoticesClosed, ContentShredded)
    assert [each.notice_id for each in closed.notices] == [waiting, blocked]
    assert (confirmed.shredding_id, confirmed.child_id) == (ordered.shredding_id, child)
    assert sorted(await world.tasks()) == sorted(
        [("content_shredded", waiting), ("content_shredded", blocked)]
    )


async def test_c29_an_attempt_under_way_ends_by_itself_before_it_is_confirmed(
    world: World, receiver: Receiver
) -> None:
    """It fails, is never tried again, is closed with a task, and only then confirmed."""
    receiver.script = [late(receiver, 500)]
    agency = await world.agency(receiver.url)
    notice = await world.notice(agency)
    async with world.delivering():
        await eventually(lambda: is_in(world, notice, "attempting"))
        await order(world, await world.child_of(notice))
        assert await finish_once(world.db, OUT) == 0
        assert await world.events(ContentShredded) == []
        receiver.released.set()
        await eventually(lambda: is_in(world, notice, "pending"))
        await world.make_due(notice)
        await asyncio.sleep(0.3)
        assert len(receiver.requests) == 1, "nothing more leaves once the key is destroyed"
        assert await finish_once(world.db, OUT) == 1
    assert await world.state(notice) == "closed"
    assert await world.facts(notice) == ["completed:500"]
    assert len(await world.events(ContentShredded)) == 1
    assert await world.tasks() == [("content_shredded", notice)]
    assert await finish_once(world.db, OUT) == 0


async def test_c29_an_attempt_under_way_that_arrives_is_delivered(
    world: World, receiver: Receiver
) -> None:
    receiver.script = [late(receiver, 200)]
    notice = await world.notice(await world.agency(receiver.url))
    async with world.delivering():
        await eventually(lambda: is_in(world, notice, "attempting"))
        await order(world, await world.child_of(notice))
        receiver.released.set()
        await eventually(lambda: is_in(world, notice, "delivered"))
    assert await finish_once(world.db, OUT) == 1
    assert await world.tasks() == []


async def test_c29_a_notice_that_cannot_be_read_holds_up_its_own_order_alone(world: World) -> None:
    """Its role is a later release's: it waits for that, with its child's key gone. What else waits
    is closed, and other orders are confirmed."""
    agency = await world.agency("http://127.0.0.1:9/none")
    unread = await world.notice(agency)
    child = await world.child_of(unread)
    beside = await world.notice(agency, child_id=child, version=2, state="blocked")
    other = await world.notice(agency, state="attempting")
    await world.planned_as("unheard_of", unread)
    first = await order(world, child)
    second = await order(world, await world.child_of(other))
    (key,) = await world.rows(child_keys.select().filter_by(child_id=child))
    assert key.wrapped == b""
    await world.rows(
        "UPDATE notify.deliveries SET state = 'pending' WHERE notice_id = :id RETURNING 1", id=other
    )
    assert await finish_once(world.db, OUT) == 1
    states = [await world.state(each) for each in (unread, beside, other)]
    assert states == ["pending", "closed", "closed"]
    await world.planned_as("fbi", unread)
    assert await finish_once(world.db, OUT) == 1
    confirmed = [each.shredding_id for each in await world.events(ContentShredded)]
    assert confirmed == [second.shredding_id, first.shredding_id]
    closed = [n.notice_id for each in await world.events(NoticesClosed) for n in each.notices]
    assert sorted(closed) == sorted([unread, beside, other])


async def test_c29_an_order_that_fails_keeps_none_behind_it_from_its_turn(world: World) -> None:
    agency = await world.agency("http://127.0.0.1:9/none")
    notices = await world.notices(agency, 2, state="attempting")
    orders = [await order(world, await world.child_of(each)) for each in notices]
    await world.rows("UPDATE notify.deliveries SET state = 'pending' RETURNING 1")
    admin = await asyncpg.connect(world.database.superuser_dsn)
    try:
        await admin.execute(_FAIL.format(notices[0]))
        assert await finish_once(world.db, OUT) == 1
        (confirmed,) = await world.events(ContentShredded)
        assert confirmed.shredding_id == orders[1].shredding_id
        await admin.execute("DROP TRIGGER fail ON notify.deliveries")
    finally:
        await admin.close()
    assert await finish_once(world.db, OUT) == 1


async def test_c29_an_order_that_comes_again_changes_nothing(world: World) -> None:
    notice = await world.notice(await world.agency("http://127.0.0.1:9/none"))
    ordered = await order(world, await world.child_of(notice))
    await take(world.db, ordered)
    assert len(await world.events(ContentShredded, NoticesClosed)) == 2


class GoneIntake(FakeIntake):
    """An intake whose content was destroyed before notify asked for it."""

    async def project(self, *_: object) -> None:  # type: ignore[override]
        raise Gone("intake answered that it was destroyed")


async def test_c29_a_version_that_notify_never_saw_is_a_task_and_parks_nothing(
    world: World, tmp_path: Path
) -> None:
    planning = Planning(world.db, GoneIntake())
    await seed(world.db, agencies(), tmp_path)
    data = planning.announce()
    assert isinstance(planning.handler, PlanReferral)
    await planning.plan(data)
    assert await world.tasks() == [("content_shredded", f"{data.referral_id}/1")]


async def test_c29_the_sibling_of_a_destroyed_child_is_still_told_of(
    world: World, tmp_path: Path
) -> None:
    planning = Planning(world.db)
    await seed(world.db, agencies(), tmp_path)
    gone, left = Child(), Child(name="Test Child Two")
    data = planning.announce(gone, left)
    whole = planning.intake.versions[data.referral_id, 1]
    planning.intake.versions[data.referral_id, 1] = whole.model_copy(
        update={"children": whole.children[1:], "shredded": (gone.child_id,)}
    )
    await planning.plan(data)
    rows = await world.rows("SELECT DISTINCT child_id FROM notify.notices")
    assert [row.child_id for row in rows] == [left.child_id]


async def is_in(world: World, notice_id: str, state: str) -> bool:
    return await world.state(notice_id) == state
