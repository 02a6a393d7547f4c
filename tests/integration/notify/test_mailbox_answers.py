"""Acknowledging a notice, and giving back what is not one's own."""

import json
from datetime import timedelta

import pytest

from services.notify.delivery import claim_store as delivery_store
from services.notify.delivery.lanes import Slots
from services.notify.mailbox.tables import acknowledgements
from services.notify.models import OUTBOX
from shared.contracts.base import Source
from shared.contracts.codes import NoticeKind, Role
from shared.contracts.notices import NoticesAcknowledged, NoticesRerouted
from shared.messaging.outbox import Outbox
from shared.runtime.ids import utc_now
from shared.runtime.sealing import WrappedKey
from tests.support.mailboxes import Post
from tests.support.planning import CSA, FBI, POLICE, SEALER, STATE, Child

SAID = {
    "received_by": "Synthetic Sergeant",
    "case_number": "SYN-0042",
    "disposition": "case_opened",
}


async def read(post: Post, *children: Child) -> tuple[str, str]:
    """(referral, notice) that the police of Ansonia have opened."""
    data = await post.referral(*children)
    notice = await post.notice(POLICE, data.referral_id)
    assert (await post.open(notice, POLICE)).status_code == 200
    return data.referral_id, notice


async def test_an_acknowledgement_is_an_event_without_what_it_says(post: Post) -> None:
    _, notice = await read(post)
    answer = await post.acknowledge(notice, POLICE, SAID)
    assert answer.status_code == 201
    assert set(answer.json()) == {"acknowledgement_id", "notice_id", "acknowledged_at"}
    (event,) = await post.events(NoticesAcknowledged)
    assert event.notices[0].notice_id == notice
    written = await post.rows("SELECT CAST(body AS text) AS body FROM notify.outbox")
    assert not any("Sergeant" in row.body or "SYN-0042" in row.body for row in written)
    (item,) = (await post.listed(POLICE))["notices"]
    assert item["acknowledged"] is True


async def test_p5_what_it_says_lies_sealed_under_the_childs_key(post: Post) -> None:
    _, notice = await read(post)
    made = (await post.acknowledge(notice, POLICE, SAID)).json()
    (row,) = await post.rows(
        f"SELECT a.sealed, k.kek_version, k.wrapped FROM {acknowledgements.fullname} a "
        "JOIN notify.notices n USING (notice_id) JOIN notify.child_keys k USING (child_id)"
    )
    assert b"Sergeant" not in row.sealed
    key = WrappedKey(row.kek_version, row.wrapped)
    opened = SEALER.open(key, "acknowledgements", made["acknowledgement_id"], row.sealed)
    assert json.loads(opened) == SAID


async def test_a_case_number_that_comes_later_is_kept_and_the_first_one_counts(post: Post) -> None:
    _, notice = await read(post)
    await post.acknowledge(notice, POLICE)
    await post.acknowledge(notice, POLICE, SAID)
    assert len(await post.rows(f"SELECT FROM {acknowledgements.fullname}")) == 2
    assert len(await post.events(NoticesAcknowledged)) == 1


async def test_what_nobody_has_read_cannot_be_acknowledged(post: Post) -> None:
    data = await post.referral()
    notice = await post.notice(POLICE, data.referral_id)
    assert (await post.acknowledge(notice, POLICE)).status_code == 409
    assert await post.events(NoticesAcknowledged) == []


async def test_a_webhook_recipients_own_system_acknowledges_what_it_got(post: Post) -> None:
    data = await post.referral()
    notice = await post.notice(FBI, data.referral_id)
    await post.planning.set_state(FBI, "delivered", "completed")
    assert (await post.acknowledge(notice, FBI, person=False)).status_code == 201
    (event,) = await post.events(NoticesAcknowledged)
    assert event.notices[0].agency_id == FBI


@pytest.mark.parametrize(
    "body", [{}, {"received_by": "", "disposition": "received"}, SAID | {"note": "x"}]
)
async def test_p5_a_bad_acknowledgement_is_refused_without_an_echo(
    post: Post, body: dict[str, str]
) -> None:
    _, notice = await read(post)
    answer = await post.acknowledge(notice, POLICE, body)
    assert answer.status_code == 422
    assert "Sergeant" not in answer.text


@pytest.mark.parametrize(
    "text",
    [
        "\\ud800",
        "\\u0000",
        "\\r\\nSet-Cookie: a=b",
        "<script>alert(1)</script>",
        "\\u202e",
        "'; --",
    ],
)
async def test_hostile_words_are_kept_as_they_are_or_refused(post: Post, text: str) -> None:
    data = await post.referral()
    notice = await post.notice(FBI, data.referral_id)
    await post.open(notice, FBI)
    answer = await post.client.post(
        f"/v1/mailbox/notices/{notice}/acknowledgements",
        content=f'{{"received_by": "{text}", "disposition": "received"}}',
        headers={
            "Authorization": f"Bearer {post.token('o', ['mailbox:acknowledge'], agency=FBI)}",
            "Content-Type": "application/json",
        },
    )
    assert answer.status_code in (201, 422)


async def test_not_ours_is_a_plan_of_its_own_that_says_not_why(post: Post) -> None:
    referral, notice = await read(post)
    answer = await post.give_back(notice, POLICE)
    assert answer.status_code == 200
    assert set(answer.json()) == {"notice_id", "returned_at"}
    (event,) = await post.events(NoticesRerouted)
    assert [each.notice_id for each in event.left] == [notice]
    assert event.left[0].role is Role.LOCAL_LAW_ENFORCEMENT
    new = [each for each in event.notices if each.agency_id == STATE]
    assert [each.kind for each in new] == [NoticeKind.ORIGINAL]
    assert new[0].role is Role.LOCAL_LAW_ENFORCEMENT
    assert {each.agency_id for each in event.notices} == {STATE, FBI, CSA}
    (row,) = await post.rows(
        "SELECT k.ground, s.notice_id FROM notify.substitutions s "
        "JOIN notify.conflicts k USING (conflict_id)"
    )
    assert (row.ground, row.notice_id) == ("not_ours", notice)
    (delivery,) = await post.rows(
        "SELECT d.state FROM notify.deliveries d JOIN notify.notices n USING (notice_id) "
        "WHERE n.agency_id = :agency AND n.referral_id = :referral",
        agency=STATE,
        referral=referral,
    )
    assert delivery.state == "pending"
    assert await post.tasks("not_ours") == [notice]
    assert await post.tasks("conflict") == []


async def test_not_ours_again_is_the_same_answer_and_plans_nothing(post: Post) -> None:
    _, notice = await read(post)
    first = await post.give_back(notice, POLICE)
    again = await post.give_back(notice, POLICE)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert len(await post.events(NoticesRerouted)) == 1


async def test_the_wrong_recipient_gets_nothing_further_and_keeps_what_it_read(post: Post) -> None:
    child = Child()
    referral, notice = await read(post, child)
    before = (await post.open(notice, POLICE)).content
    await post.give_back(notice, POLICE)
    await post.referral(child, referral_id=referral, version=2)
    told = await post.rows(
        "SELECT agency_id FROM notify.notices WHERE referral_id = :referral AND version = 2 "
        "AND role = 'local_law_enforcement'",
        referral=referral,
    )
    assert [row.agency_id for row in told] == [STATE]
    assert [each["notice_id"] for each in (await post.listed(POLICE))["notices"]] == [notice]
    assert (await post.open(notice, POLICE)).content == before


async def test_not_ours_of_a_notice_nobody_read_takes_it_out_of_the_mailbox(post: Post) -> None:
    data = await post.referral()
    notice = await post.notice(POLICE, data.referral_id)
    assert (await post.give_back(notice, POLICE)).status_code == 200
    assert (await post.listed(POLICE))["notices"] == []
    (row,) = await post.rows(
        "SELECT state FROM notify.deliveries WHERE notice_id = :notice", notice=notice
    )
    assert row.state == "refused"


async def test_not_ours_in_one_childs_matter_leaves_the_others_alone(post: Post) -> None:
    one, other = Child(), Child(name="Test Child Two")
    data = await post.referral(one, other)
    rows = await post.rows(
        "SELECT notice_id, child_id FROM notify.notices WHERE agency_id = :agency", agency=POLICE
    )
    by_child = {row.child_id: row.notice_id for row in rows}
    await post.give_back(by_child[one.child_id], POLICE)
    listed = [each["notice_id"] for each in (await post.listed(POLICE))["notices"]]
    assert listed == [by_child[other.child_id]]
    assert data.referral_id


async def test_c15_what_was_given_back_is_recalled_past_the_hold_that_it_set(post: Post) -> None:
    """Whoever said that it is not theirs may be asked to return it: that tells them nothing new."""
    _, notice = await read(post)
    assert (await post.give_back(notice, POLICE)).status_code == 200
    answer = (await post.take_back(notice)).json()
    asked = answer["recall_notice_id"]
    assert asked is not None
    listed = [each["notice_id"] for each in (await post.listed(POLICE))["notices"]]
    assert listed == [notice, asked]
    claimed = await _claim(post)
    assert asked in claimed
    (row,) = await post.rows("SELECT state FROM notify.deliveries WHERE notice_id = :n", n=asked)
    assert row.state == "attempting"
    assert (await post.open(asked, POLICE)).json()["kind"] == "recall"


async def test_p3_a_conflict_beside_it_stops_the_recall_as_well(post: Post) -> None:
    referral, notice = await read(post)
    await post.give_back(notice, POLICE)
    asked = (await post.take_back(notice)).json()["recall_notice_id"]
    await post.conflict(referral, POLICE)
    assert asked not in await _claim(post)
    (row,) = await post.rows("SELECT state FROM notify.deliveries WHERE notice_id = :n", n=asked)
    assert row.state == "refused"
    listed = [each["notice_id"] for each in (await post.listed(POLICE))["notices"]]
    assert listed == [notice]


async def test_p3_what_was_given_back_and_is_in_conflict_is_not_even_asked_for(post: Post) -> None:
    referral, notice = await read(post)
    await post.give_back(notice, POLICE)
    await post.conflict(referral, POLICE)
    assert (await post.take_back(notice)).json()["recall_notice_id"] is None


async def test_a_later_version_still_does_not_reach_whoever_gave_it_back(post: Post) -> None:
    child = Child()
    referral, notice = await read(post, child)
    await post.give_back(notice, POLICE)
    await post.take_back(notice)
    await post.referral(child, referral_id=referral, version=2)
    rows = await post.rows(
        "SELECT kind FROM notify.notices WHERE agency_id = :agency AND version = 2", agency=POLICE
    )
    assert rows == []


async def _claim(post: Post) -> set[str]:
    """What delivery would send now."""
    now = utc_now()
    async with post.planning.db.transaction() as session:
        claim = await delivery_store.claim(
            session,
            Outbox(OUTBOX, Source.NOTIFY),
            owner=1,
            slots=Slots(9, 9),
            busy={},
            batch=99,
            now=now,
            deadline=now + timedelta(seconds=10),
        )
    return {each.notice_id for each in claim.attempts}
