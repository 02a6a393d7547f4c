"""C32: a call is entered by referral and agency, whatever has become of the notice."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from services.notify import areas
from services.notify.oral import entering
from shared.contracts.disclosures import ToldOrally
from shared.contracts.notices import NoticesToldOrally
from shared.runtime.ids import new_id, utc_now
from tests.support.mailboxes import Post
from tests.support.planning import FBI, OTHER_POLICE, POLICE, Child


async def enter(
    post: Post, referral: str, child: str, agency: str = POLICE, **more: Any
) -> httpx.Response:
    body = {
        "child_id": child,
        "agency_id": agency,
        "told_at": more.pop("told_at", utc_now()).isoformat(),
        "told_to": "Synthetic Dispatcher",
        "warning_read": True,
    } | more.pop("body", {})
    path = f"/v1/referrals/{referral}/told-orally"
    caller = more.pop("caller", None)
    return await post.ask("POST", path, caller, body, **{"scopes": "notices:tell"} | more)


async def match(post: Post) -> None:
    await entering.match_waiting(post.office)


async def age(post: Post) -> float:
    async with post.planning.db.transaction() as session:
        return (await areas.ages(session))["oral_entry"]


@pytest.mark.parametrize("state", ["pending", "refused", "closed", "attempting"])
async def test_c32_whatever_became_of_the_notice_the_call_is_on_record(
    post: Post, state: str
) -> None:
    child = Child()
    data = await post.referral(child)
    await post.rows(
        "UPDATE notify.deliveries SET state = :state WHERE agency_id = :agency RETURNING 1",
        state=state,
        agency=FBI,
    )
    at = utc_now()
    answer = await enter(post, data.referral_id, child.child_id, FBI, told_at=at)
    assert answer.status_code == 201, answer.text
    notice = await post.notice(FBI, data.referral_id)
    assert answer.json()["notice_id"] == notice
    (said,) = await post.events(NoticesToldOrally)
    assert (said.notices[0].notice_id, said.notices[0].told_at) == (notice, at)
    again = await enter(post, data.referral_id, child.child_id, FBI, told_at=at)
    assert again.json() == answer.json()
    assert len(await post.events(ToldOrally)) == 1


async def test_c32_a_call_before_the_plan_waits_and_is_recorded_at_its_own_time(post: Post) -> None:
    child, referral, at = Child(), new_id("ref"), utc_now() - timedelta(minutes=2)
    answer = await enter(post, referral, child.child_id, told_at=at)
    assert (answer.status_code, answer.json()["notice_id"]) == (202, None)
    await match(post)
    assert await post.events(ToldOrally) == []
    assert await age(post) > 0
    assert await post.tasks("told_unlawfully") == []
    await post.referral(child, referral_id=referral)
    await match(post)
    await match(post)
    (record,) = await post.events(ToldOrally)
    assert (record.occurred_at, record.recipient_id) == (at, POLICE)
    assert await age(post) == 0
    again = await enter(post, referral, child.child_id, told_at=at)
    assert again.status_code == 201
    assert again.json()["notice_id"] == await post.notice(POLICE, referral)


async def test_p5_whom_they_spoke_to_lies_sealed_while_it_waits_and_is_gone_after(
    post: Post,
) -> None:
    child, referral = Child(), new_id("ref")
    await enter(post, referral, child.child_id)
    (row,) = await post.rows("SELECT CAST(e AS text) AS all, sealed FROM notify.oral_entries e")
    assert b"Dispatcher" not in row.sealed
    assert "Dispatcher" not in row.all
    await post.referral(child, referral_id=referral)
    await match(post)
    (row,) = await post.rows("SELECT sealed, notice_id FROM notify.oral_entries")
    assert row.sealed is None
    assert row.notice_id is not None


async def test_p3_a_call_to_who_may_not_be_told_is_kept_and_a_task_at_once(post: Post) -> None:
    child = Child()
    data = await post.referral(child)
    await post.rows(
        "UPDATE notify.agencies SET authority = NULL WHERE agency_id = :agency RETURNING 1",
        agency=OTHER_POLICE,
    )
    answer = await enter(post, data.referral_id, child.child_id, OTHER_POLICE)
    assert answer.status_code == 202
    assert await post.tasks("told_unlawfully") == [answer.json()["entry_id"]]
    assert await post.events(ToldOrally) == []


async def test_p9_a_call_that_no_notice_comes_for_becomes_a_task(post: Post) -> None:
    child = Child()
    data = await post.referral(child)
    entry = (await enter(post, data.referral_id, child.child_id, OTHER_POLICE)).json()["entry_id"]
    await match(post)
    assert await post.tasks("told_unlawfully") == []
    await post.rows(
        "UPDATE notify.oral_entries SET entered_at = entered_at - interval '16 minutes' RETURNING 1"
    )
    await match(post)
    await match(post)
    assert await post.tasks("told_unlawfully") == [entry]


async def test_c29_a_call_about_a_child_whose_content_was_destroyed_ends_without_it(
    post: Post,
) -> None:
    child, referral = Child(), new_id("ref")
    await enter(post, referral, child.child_id)
    await post.referral(child, referral_id=referral)
    await post.rows(
        "UPDATE notify.child_keys SET wrapped = '', kek_version = 0, shredded_at = now() "
        "WHERE child_id = :child RETURNING child_id",
        child=child.child_id,
    )
    await match(post)
    assert await age(post) == 0


async def test_p10_only_the_departments_own_people_enter_calls_by_referral(post: Post) -> None:
    child = Child()
    data = await post.referral(child)
    referral = data.referral_id
    assert (await enter(post, referral, child.child_id, caller=POLICE)).status_code == 403
    assert (await enter(post, referral, child.child_id, person=False)).status_code == 403
    assert (await enter(post, referral, child.child_id, scopes="notices:read")).status_code == 403
    assert (await enter(post, "ref_%00", child.child_id)).status_code == 404
    future = datetime.fromisoformat("2999-01-01T00:00:00+00:00")
    for wrong in (
        await enter(post, referral, child.child_id, new_id("agy")),
        await enter(post, referral, child.child_id, told_at=future),
        await enter(post, referral, child.child_id, body={"warning_read": False}),
    ):
        assert wrong.status_code == 422
        assert "Dispatcher" not in wrong.text
    assert await post.rows("SELECT FROM notify.oral_entries") == []
