"""Delivery asks the law again in the transaction that claims (P3)."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta

import pytest
from sqlalchemy import text

from services.notify.directory.authority import today
from shared.contracts.codes import RefusalReason
from shared.contracts.disclosures import DisclosuresAttempted, DisclosuresRefused
from shared.contracts.notices import NoticesRefused
from shared.runtime.ids import utc_now
from tests.support.deliveries import World, decrypt, eventually
from tests.support.receiver import Receiver, answer

TODAY = today(utc_now())
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"authority": None}, RefusalReason.NO_AUTHORITY_ON_FILE),
        ({"authority_from": None}, RefusalReason.NO_AUTHORITY_ON_FILE),
        ({"authority_from": TODAY + DAY}, RefusalReason.AUTHORITY_NOT_YET_IN_FORCE),
        ({"authority_to": TODAY - DAY}, RefusalReason.AUTHORITY_EXPIRED),
        ({"encryption_key": None}, RefusalReason.NO_ENCRYPTION_KEY),
        ({"endpoint": None}, RefusalReason.NO_ENCRYPTION_KEY),
    ],
    ids=["none", "undated", "not yet", "expired", "no key", "no endpoint"],
)
async def test_authority_lost_between_plan_and_claim_sends_nothing_and_tells_a_person(
    world: World, receiver: Receiver, change: Mapping[str, object], reason: RefusalReason
) -> None:
    agency = await world.agency(receiver.url)
    notice = await world.notice(agency)
    await world.change_agency(agency, **change)
    async with world.delivering():
        await eventually(lambda: _is(world, notice, "refused"))
    assert receiver.connections == 0
    assert await world.facts(notice) == []
    assert await world.tasks() == [("refused", notice)]
    (refused,) = await world.events(NoticesRefused)
    assert [(each.notice_id, each.reason) for each in refused.notices] == [(notice, reason)]
    (disclosures,) = await world.events(DisclosuresRefused)
    assert [(each.notice_id, each.reason) for each in disclosures.refused] == [(notice, reason)]
    assert await world.events(DisclosuresAttempted) == []


async def test_the_last_day_in_force_is_in_force(world: World, receiver: Receiver) -> None:
    notice = await world.notice(
        await world.agency(receiver.url, authority_from=TODAY, authority_to=TODAY)
    )
    async with world.delivering():
        await eventually(lambda: _is(world, notice, "delivered"))


async def test_a_retry_asks_the_law_again(world: World, receiver: Receiver) -> None:
    """P3 outranks never giving up."""
    receiver.behaviour = answer(500)
    agency = await world.agency(receiver.url)
    notice = await world.notice(agency)
    async with world.delivering():
        await eventually(lambda: _is(world, notice, "pending", attempts=1))
        await world.change_agency(agency, authority_to=TODAY - DAY)
        await world.make_due(notice)
        await eventually(lambda: _is(world, notice, "refused"))
    assert len(receiver.requests) == 1


async def test_one_refused_agency_holds_up_no_other(world: World, receiver: Receiver) -> None:
    refused = await world.notice(await world.agency(receiver.url, authority=None))
    lawful = await world.notice(await world.agency(receiver.url))
    async with world.delivering():
        await eventually(lambda: _is(world, lawful, "delivered"))
        await eventually(lambda: _is(world, refused, "refused"))
    assert receiver.notice_ids == [lawful]


async def test_a_refused_supersession_is_no_refused_duty(world: World, receiver: Receiver) -> None:
    notice = await world.notice(
        await world.agency(receiver.url, authority=None), kind="supersession"
    )
    async with world.delivering():
        await eventually(lambda: _is(world, notice, "refused"))
    assert await world.events(NoticesRefused) == []
    assert len(await world.events(DisclosuresRefused)) == 1


async def test_a_change_under_way_binds_the_claim_that_waited_for_it(
    world: World, receiver: Receiver
) -> None:
    """The claim locks the agency's row: it never acts on an authority that is being withdrawn."""
    agency = await world.agency(receiver.url)
    async with world.db.transaction() as session:
        await session.execute(
            text("UPDATE notify.agencies SET authority = NULL WHERE agency_id = :agency"),
            {"agency": agency},
        )
        running = world.start()
        notice = await world.notice(agency)
        await asyncio.sleep(0.1)
        assert await world.state(notice) == "pending"
    await eventually(lambda: _is(world, notice, "refused"))
    await running.stop()
    assert receiver.connections == 0


async def test_a_supersession_goes_out_without_content(world: World, receiver: Receiver) -> None:
    notice = await world.notice(await world.agency(receiver.url), kind="supersession")
    async with world.delivering():
        await eventually(lambda: _is(world, notice, "delivered"))
    content = decrypt(receiver.requests[0].body)
    assert "child" not in json.loads(content)
    assert (await world.child_of(notice)).encode() not in content


async def _is(world: World, notice: str, state: str, attempts: int | None = None) -> bool:
    row = await world.delivery(notice)
    return row.state == state and attempts in (None, row.attempts)
