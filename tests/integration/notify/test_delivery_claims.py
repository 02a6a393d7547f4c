"""When one claim is worth another: never because of what a person or a halt holds back."""

from datetime import date, timedelta

from sqlalchemy import text

from services.notify.delivery.claim_store import Claim, claim
from services.notify.delivery.lanes import Slots
from services.notify.models import OUTBOX
from shared.contracts.base import Source
from shared.messaging.outbox import Outbox
from shared.runtime.ids import utc_now
from tests.support.deliveries import World

NOBODY = "https://127.0.0.1:9"


async def claimed(world: World, batch: int) -> Claim:
    now = utc_now()
    async with world.db.transaction() as session:
        return await claim(
            session,
            Outbox(OUTBOX, Source.NOTIFY),
            owner=1,
            slots=Slots(first=8, retry=8),
            busy={},
            batch=batch,
            now=now,
            deadline=now + timedelta(seconds=10),
        )


async def test_p9_a_full_claim_looks_again_though_all_of_it_was_refused(world: World) -> None:
    """The place that it asked for is free yet, and others may be due."""
    await world.notice(await world.agency(NOBODY, authority_to=date(2020, 1, 1)))
    found = await claimed(world, batch=1)
    assert (found.attempts, found.more) == ((), True)


async def test_p9_a_full_claim_looks_again_and_one_with_room_does_not(world: World) -> None:
    agency = await world.agency(NOBODY)
    await world.notices(agency, 3)
    assert (await claimed(world, batch=2)).more
    last = await claimed(world, batch=2)
    assert (len(last.attempts), last.more) == (1, False)


async def test_a_claim_of_which_all_is_held_does_not_spin(world: World) -> None:
    """Its child's content is destroyed, and what closes it comes in a moment."""
    await world.notice(await world.agency(NOBODY))
    async with world.db.transaction() as session:
        await session.execute(
            text("UPDATE notify.child_keys SET wrapped = '', shredded_at = now()")
        )
    found = await claimed(world, batch=1)
    assert (found.attempts, found.more) == ((), False)
