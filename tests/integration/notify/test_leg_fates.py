"""What explain says of a planned leg, as its notice is pointed to, read, held and barred."""

from services.notify import leg_store
from services.notify.conflicts import tables as conflict_tables
from services.notify.fates import fate_of, words
from services.notify.legs import LegStatus
from shared.runtime.ids import utc_now
from tests.support.mailboxes import Post
from tests.support.planning import FBI, POLICE


async def leg(post: Post, referral_id: str, agency_id: str = POLICE) -> LegStatus:
    async with post.planning.db.transaction() as session:
        found = await leg_store.legs_of(session, referral_id, None)
    return next(each for each in found if each.agency_id == agency_id)


async def fate(post: Post, referral_id: str, agency_id: str = POLICE) -> str:
    return fate_of(await leg(post, referral_id, agency_id)).value


async def test_a_pointer_tells_nobody_until_the_notice_is_opened(post: Post) -> None:
    data = await post.referral()
    notice = await post.notice(POLICE, data.referral_id)
    assert await fate(post, data.referral_id) == "pending"
    await post.rows(
        "UPDATE notify.deliveries SET state = 'delivered', next_attempt_at = NULL, "
        "delivered_at = :at, unread_since = :at WHERE notice_id = :notice RETURNING 1",
        at=utc_now(),
        notice=notice,
    )
    assert await fate(post, data.referral_id) == "pointed"
    await post.open(notice, POLICE)
    assert await fate(post, data.referral_id) == "opened"
    await post.acknowledge(notice, POLICE)
    assert await fate(post, data.referral_id) == "acknowledged"
    await post.conflict(data.referral_id, POLICE)
    assert await fate(post, data.referral_id) == "acknowledged"
    assert "what it holds stays with it" in words(await leg(post, data.referral_id))


async def test_sent_is_told_only_when_its_system_has_answered(post: Post) -> None:
    data = await post.referral()
    await post.planning.set_state(FBI, "pending", "unknown")
    assert await fate(post, data.referral_id, FBI) == "uncertain"
    await post.planning.set_state(FBI, "delivered", "completed")
    assert await fate(post, data.referral_id, FBI) == "told"


async def test_word_of_mouth_is_told_by_word_of_mouth(post: Post) -> None:
    data = await post.referral()
    await post.tell(await post.notice(POLICE, data.referral_id))
    assert await fate(post, data.referral_id) == "told_orally"


async def test_what_waits_behind_a_halt_is_held(post: Post) -> None:
    data = await post.referral()
    await post.rows(
        "UPDATE notify.agencies SET halted = true WHERE agency_id = :agency RETURNING 1",
        agency=POLICE,
    )
    assert await fate(post, data.referral_id) == "held"
    assert await fate(post, data.referral_id, FBI) == "pending"


async def test_what_a_conflict_ended_says_so_after_it_was_lifted(post: Post) -> None:
    data = await post.referral()
    await post.conflict(data.referral_id, POLICE)
    assert await fate(post, data.referral_id) == "suppressed"
    await post.rows(
        f"UPDATE {conflict_tables.conflicts.fullname} "
        "SET lift_asked_by = 'a', lift_asked_at = :now, "
        "lifted_by = 'b', lifted_at = :now RETURNING 1",
        now=utc_now(),
    )
    assert await fate(post, data.referral_id) == "refused"
    assert "was lifted since" in words(await leg(post, data.referral_id))
