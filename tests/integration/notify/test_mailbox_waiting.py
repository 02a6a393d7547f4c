"""P9: a mailbox that nobody opens, and a notice that nobody acknowledges, are seen."""

from datetime import timedelta

from services.notify.mailbox import sweep_store
from services.notify.mailbox.sweep import Patience, sweep
from services.notify.oldest_store import oldest
from shared.runtime.ids import new_id, utc_now
from tests.support.deliveries import World, eventually
from tests.support.mailboxes import Post
from tests.support.planning import POLICE
from tests.support.receiver import Receiver

PATIENCE = Patience(timedelta(hours=2), timedelta(hours=24))


async def ages(post: Post) -> dict[str, float]:
    async with post.planning.db.transaction() as session:
        return await oldest(session, sweep_store.OLDEST)


async def pointed(post: Post, **fields: bool) -> str:
    """A notice whose pointer arrived three hours ago."""
    data = await post.referral(**fields)
    notice = await post.notice(POLICE, data.referral_id)
    await post.rows(
        "UPDATE notify.deliveries SET state = 'delivered', next_attempt_at = NULL, "
        "delivered_at = :at, unread_since = :at WHERE notice_id = :notice RETURNING 1",
        at=utc_now() - timedelta(hours=3),
        notice=notice,
    )
    return notice


async def test_p9_an_unread_mailbox_has_an_age_and_becomes_a_task_once(post: Post) -> None:
    assert await ages(post) == {"unread": 0.0, "unacknowledged": 0.0}
    notice = await pointed(post)
    assert 10_700 < (await ages(post))["unread"] < 10_900
    assert await sweep(post.planning.db, PATIENCE, utc_now()) == 1
    assert await sweep(post.planning.db, PATIENCE, utc_now()) == 0
    assert await post.tasks("unread") == [notice]


async def test_p9_what_was_opened_waits_for_its_acknowledgement(post: Post) -> None:
    notice = await pointed(post)
    await post.open(notice, POLICE)
    found = await ages(post)
    assert found["unread"] == 0.0
    assert found["unacknowledged"] > 0.0
    assert await sweep(post.planning.db, PATIENCE, utc_now()) == 0
    assert await sweep(post.planning.db, PATIENCE, utc_now() + timedelta(hours=25)) == 1
    assert await post.tasks("unacknowledged") == [notice]
    await post.acknowledge(notice, POLICE)
    assert await ages(post) == {"unread": 0.0, "unacknowledged": 0.0}


async def test_what_was_told_by_telephone_waits_for_its_acknowledgement_too(post: Post) -> None:
    data = await post.referral()
    notice = await post.notice(POLICE, data.referral_id)
    await post.tell(notice, utc_now() - timedelta(hours=30))
    assert await sweep(post.planning.db, PATIENCE, utc_now()) == 1
    assert await post.tasks("unacknowledged") == [notice]


async def test_nobody_is_reminded_of_a_synthetic_referral(post: Post) -> None:
    await pointed(post, synthetic=True)
    assert await sweep(post.planning.db, PATIENCE, utc_now()) == 0
    assert (await ages(post))["unread"] == 0.0


async def test_p3_nobody_is_asked_to_remind_an_agency_with_a_conflict(post: Post) -> None:
    notice = await pointed(post)
    (row,) = await post.rows(
        "SELECT referral_id FROM notify.notices WHERE notice_id = :notice", notice=notice
    )
    await post.conflict(row.referral_id, POLICE)
    assert await sweep(post.planning.db, PATIENCE, utc_now()) == 0
    assert (await ages(post))["unread"] == 0.0


async def test_a_pointer_that_arrives_after_the_opening_leaves_nothing_unread(
    world: World, receiver: Receiver
) -> None:
    notice = await world.notice(await world.agency(receiver.url, channel="pickup"))
    await world.rows(
        "UPDATE notify.deliveries SET opened_at = now() WHERE notice_id = :id RETURNING 1",
        id=notice,
    )

    async def delivered() -> bool:
        return await world.state(notice) == "delivered"

    async with world.delivering():
        await eventually(delivered)
    assert (await world.delivery(notice)).unread_since is None


async def test_an_agency_keeps_its_own_secrets_and_sees_each_once(post: Post) -> None:
    path = "/v1/mailbox/webhook-secrets"
    first = await post.ask("POST", path, POLICE, person=False)
    assert first.status_code == 201
    assert first.json()["secret"].startswith("whsec_")
    assert first.json()["before_ends_at"] is None
    second = (await post.ask("POST", f"{path}?overlap_hours=2", POLICE)).json()
    assert second["secret"] != first.json()["secret"]
    assert second["before_ends_at"] is not None
    (row,) = await post.rows(
        "SELECT webhook_secrets FROM notify.agencies WHERE agency_id = :agency", agency=POLICE
    )
    assert len(row.webhook_secrets) == 2
    assert not any(second["secret"].encode() in each for each in row.webhook_secrets)
    oldest = row.webhook_secrets[1]
    third = await post.ask("POST", path, POLICE)
    assert third.status_code == 201
    (row,) = await post.rows(
        "SELECT webhook_secrets FROM notify.agencies WHERE agency_id = :agency", agency=POLICE
    )
    assert len(row.webhook_secrets) == 3
    assert row.webhook_secrets[2] == oldest, "its receiver may never have seen the second"
    assert (await post.ask("POST", f"{path}?overlap_hours=0", POLICE)).status_code == 201
    (row,) = await post.rows(
        "SELECT webhook_secrets, webhook_secret_ends <= now() AS over "
        "FROM notify.agencies WHERE agency_id = :agency",
        agency=POLICE,
    )
    assert (len(row.webhook_secrets), row.over) == (3, True), "only the newest signs any more"
    assert (await post.ask("DELETE", path, POLICE)).status_code == 204
    (row,) = await post.rows(
        "SELECT webhook_secrets FROM notify.agencies WHERE agency_id = :agency", agency=POLICE
    )
    assert row.webhook_secrets == []
    assert (await post.ask("POST", path, new_id("agy"))).status_code == 404
