"""Told by word of mouth: entered by who made the call, with the warning read (C32)."""

import json
from datetime import timedelta

import pytest

from shared.contracts.disclosures import DisclosuresAttempted, ToldOrally
from shared.contracts.notices import NoticesDelivered, NoticesToldOrally
from shared.runtime.ids import new_id, utc_now
from shared.runtime.sealing import WrappedKey
from tests.support.deliveries import World, eventually
from tests.support.mailboxes import Post
from tests.support.planning import FBI, POLICE, SEALER, Child


async def planned(post: Post, agency: str = POLICE) -> tuple[str, str]:
    data = await post.referral()
    return data.referral_id, await post.notice(agency, data.referral_id)


async def by_telephone(post: Post) -> None:
    await post.rows(
        "UPDATE notify.agencies SET channel = 'oral' WHERE agency_id = :agency RETURNING 1",
        agency=POLICE,
    )


async def test_c32_a_call_is_a_disclosure_at_its_own_time_and_an_event(post: Post) -> None:
    _, notice = await planned(post)
    at = utc_now() - timedelta(hours=1)
    answer = await post.tell(notice, at, subject="worker-a")
    assert answer.status_code == 201
    (record,) = await post.events(ToldOrally)
    assert (record.occurred_at, record.actor, record.recipient_id) == (at, "worker-a", POLICE)
    assert record.fields == ("name", "parents.name")
    (told,) = await post.events(NoticesToldOrally)
    assert (told.notices[0].notice_id, told.notices[0].told_at) == (notice, at)
    assert told.notices[0].recorded_at > at
    assert await post.events(DisclosuresAttempted) == []
    (row,) = await post.rows("SELECT channel, attempted_at FROM notify.disclosures")
    assert (row.channel, row.attempted_at) == ("oral", at)


async def test_p5_whom_they_spoke_to_lies_sealed_and_is_in_no_event(post: Post) -> None:
    _, notice = await planned(post)
    made = (await post.tell(notice)).json()
    (row,) = await post.rows(
        "SELECT t.sealed, k.kek_version, k.wrapped FROM notify.tellings t "
        "JOIN notify.notices n USING (notice_id) JOIN notify.child_keys k USING (child_id)"
    )
    opened = SEALER.open(
        WrappedKey(row.kek_version, row.wrapped), "tellings", made["disclosure_id"], row.sealed
    )
    assert json.loads(opened) == {"told_to": "Synthetic Dispatcher"}
    written = await post.rows("SELECT CAST(body AS text) AS body FROM notify.outbox")
    assert not any("Dispatcher" in each.body for each in written)


async def test_the_same_call_entered_twice_is_one_call(post: Post) -> None:
    _, notice = await planned(post)
    at = utc_now()
    first, again = await post.tell(notice, at), await post.tell(notice, at)
    assert first.content == again.content
    assert len(await post.events(ToldOrally)) == 1


@pytest.mark.parametrize(
    "body",
    [{"warning_read": False}, {"told_to": ""}, {"told_at": "2999-01-01T00:00:00Z"}, {"more": 1}],
)
async def test_without_the_warning_read_or_in_the_future_nothing_is_stored(
    post: Post, body: dict[str, object]
) -> None:
    _, notice = await planned(post)
    answer = await post.tell(notice, body=body)
    assert answer.status_code == 422
    assert "Dispatcher" not in answer.text
    assert await post.rows("SELECT FROM notify.tellings") == []


async def test_p10_only_the_departments_own_people_enter_calls(post: Post) -> None:
    _, notice = await planned(post)
    assert (await post.tell(notice, agency=POLICE)).status_code == 403
    assert (await post.tell(notice, person=False)).status_code == 403
    assert (await post.tell(notice, scopes="notices:read")).status_code == 403
    assert (await post.tell(new_id("ntc"))).status_code == 404
    assert (await post.tell("ntc_%00")).status_code == 404


async def test_a_call_ends_what_only_a_call_could_end(post: Post) -> None:
    await by_telephone(post)
    _, notice = await planned(post)
    at = utc_now()
    await post.tell(notice, at)
    (row,) = await post.rows(
        "SELECT state, delivered_at FROM notify.deliveries WHERE notice_id = :id", id=notice
    )
    assert (row.state, row.delivered_at) == ("delivered", at)
    assert await post.events(NoticesDelivered) == []


async def test_c32_where_a_channel_is_on_file_the_notice_goes_out_all_the_same(post: Post) -> None:
    _, notice = await planned(post, FBI)
    await post.tell(notice)
    (row,) = await post.rows("SELECT state FROM notify.deliveries WHERE notice_id = :id", id=notice)
    assert row.state == "pending"


async def test_p8_whoever_was_told_by_telephone_gets_a_correction(post: Post) -> None:
    referral, notice = await planned(post)
    await post.tell(notice)
    (child,) = await post.rows("SELECT DISTINCT child_id FROM notify.notices")
    await post.referral(Child(child_id=child.child_id), referral_id=referral, version=2)
    (row,) = await post.rows(
        "SELECT kind, supersedes FROM notify.notices WHERE agency_id = :agency AND version = 2",
        agency=POLICE,
    )
    assert (row.kind, row.supersedes) == ("correction", 1)


async def test_p3_a_call_that_should_not_have_been_is_on_record_and_a_task(post: Post) -> None:
    referral, notice = await planned(post)
    await post.conflict(referral, POLICE)
    assert (await post.tell(notice)).status_code == 201
    assert await post.tasks("told_unlawfully") == [notice]


async def test_a_recipient_without_any_channel_is_a_task_and_nothing_leaves(world: World) -> None:
    agency = await world.agency(None, channel="oral", encryption_key=None)
    notice = await world.notice(agency)
    async with world.delivering():
        await eventually(lambda: _has_task(world, notice))
    row = await world.delivery(notice)
    assert (row.state, row.attempts) == ("pending", 0)
    assert row.next_attempt_at > utc_now() + timedelta(minutes=10)
    assert await world.facts(notice) == []
    assert await world.events(DisclosuresAttempted) == []


async def test_p3_nobody_is_asked_to_call_an_agency_with_a_conflict(world: World) -> None:
    agency = await world.agency(None, channel="oral", encryption_key=None)
    notice = await world.notice(agency)
    await world.rows(
        "INSERT INTO notify.conflicts (conflict_id, assertion_id, referral_id, agency_id, ground, "
        "asserted_by, asserted_at) VALUES ('c', 'a', :referral, :agency, 'other', 'p', now()) "
        "RETURNING 1",
        referral=world.referral_id,
        agency=agency,
    )

    async def refused() -> bool:
        return await world.state(notice) == "refused"

    async with world.delivering():
        await eventually(refused)
    assert [kind for kind, _ in await world.tasks()] == ["conflict"]


async def _has_task(world: World, notice: str) -> bool:
    return ("to_be_called", notice) in await world.tasks()
