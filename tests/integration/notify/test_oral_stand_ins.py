"""C32: whoever is told by telephone in place of a refused recipient, as the rules of a conflict's
substitutes have it, has a notice of its own, and the call is on record at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from services.notify.conflicts.substitution import Substitutes
from services.notify.planning.history_store import lock_history
from services.notify.way_store import way
from shared.contracts.codes import NoticeKind, Role
from shared.contracts.disclosures import ToldOrally
from shared.contracts.notices import NoticesRefused, NoticesRerouted
from shared.runtime.ids import new_id, utc_now
from shared.runtime.progress import REFUSED
from tests.integration.notify.test_oral_entries import age, enter, match
from tests.support.databases import FreshDatabase
from tests.support.mailboxes import Post, posting
from tests.support.planning import CSA, FBI, LEAD, OTHER_POLICE, POLICE, STATE, Child

ENDED = {"authority_to": "2021-06-30"}


@pytest.fixture
async def post(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Post]:
    """Ansonia's authority has ended; Derby's, a row of its own, has not."""
    async with posting(database, tmp_path, municipal_police=ENDED) as opened:
        yield opened


async def reroutes(post: Post) -> list[NoticesRerouted]:
    return await post.events(NoticesRerouted)


async def test_c32_the_state_police_told_for_refused_police_are_on_record_at_once(
    post: Post,
) -> None:
    child, at = Child(), utc_now()
    data = await post.referral(child)
    answer = await enter(post, data.referral_id, child.child_id, STATE, told_at=at)
    assert answer.status_code == 201, answer.text
    notice = answer.json()["notice_id"]
    (record,) = await post.events(ToldOrally)
    assert (record.recipient_id, record.occurred_at) == (STATE, at)
    assert "name" in record.fields
    assert "17a-101b(c)" in record.authority
    (refused,) = await post.events(NoticesRefused)
    (said,) = await reroutes(post)
    assert [each.notice_id for each in said.left] == [refused.notices[0].notice_id]
    (own,) = said.notices
    assert (own.notice_id, own.agency_id) == (notice, STATE)
    assert (own.role, own.kind) == (Role.LOCAL_LAW_ENFORCEMENT, NoticeKind.ORIGINAL)
    assert await age(post) == 0
    assert await post.tasks("told_unlawfully") == []


async def test_p1_the_way_says_whose_stand_in_was_told_and_when(post: Post) -> None:
    """Two children's police are refused; the State Police are called about one of them."""
    told, untold = Child(), Child()
    data = await post.referral(told, untold)
    refused = "2 notice(s) of 1 referral(s)"
    assert await stopped(post) == [(refused, "")]
    at = utc_now()
    await enter(post, data.referral_id, told.child_id, STATE, told_at=at)
    one = "1 notice(s) of 1 referral(s)"
    assert sorted(await stopped(post)) == [(one, ""), (one, f"State Police told {at:%H:%MZ}")]
    (stage,) = [each for each in (await way(post.planning.db)).stages if each.name == REFUSED]
    assert (stage.done, stage.waiting) == (1, 1)


async def test_p1_who_is_told_in_a_role_of_its_own_stands_in_for_nobody(post: Post) -> None:
    child = Child()
    data = await post.referral(child)
    await enter(post, data.referral_id, child.child_id, FBI)
    assert await stopped(post) == [("1 notice(s) of 1 referral(s)", "")]


async def stopped(post: Post) -> list[tuple[str, str]]:
    return [
        (each.id, each.why)
        for each in (await way(post.planning.db)).stopped
        if each.what == REFUSED
    ]


async def test_p3_who_stands_in_is_a_plan_of_its_own_and_is_told_of_nobody(post: Post) -> None:
    child = Child()
    data = await post.referral(child)
    before = await post.rows("SELECT notice_id FROM notify.notices")
    await enter(post, data.referral_id, child.child_id, STATE)
    (row,) = await post.rows(
        "SELECT n.*, d.state FROM notify.notices n JOIN notify.deliveries d USING (notice_id) "
        "WHERE n.agency_id = :state",
        state=STATE,
    )
    assert row.notice_id not in {each.notice_id for each in before}
    assert "in place of another agency" in row.because
    assert (row.state, row.profile, row.version) == ("pending", "law_enforcement", 1)


async def test_c32_a_second_call_to_who_stands_in_is_of_the_same_notice(post: Post) -> None:
    child = Child()
    data = await post.referral(child)
    first = await enter(post, data.referral_id, child.child_id, STATE)
    second = await enter(post, data.referral_id, child.child_id, STATE)
    assert first.json()["notice_id"] == second.json()["notice_id"] is not None
    assert len(await reroutes(post)) == 1
    assert len(await post.events(ToldOrally)) == 2


async def test_c32_who_stands_in_and_has_a_notice_is_told_by_that_one(post: Post) -> None:
    child = Child()
    data = await post.referral(child)
    for agency in (FBI, CSA):
        answer = await enter(post, data.referral_id, child.child_id, agency)
        assert answer.json()["notice_id"] == await post.notice(agency, data.referral_id)
    assert await reroutes(post) == []


async def test_c32_a_call_before_the_plan_finds_that_its_agency_stands_in(post: Post) -> None:
    child, referral = Child(), new_id("ref")
    assert (await enter(post, referral, child.child_id, STATE)).status_code == 202
    await post.referral(child, referral_id=referral)
    await match(post)
    assert len(await post.events(ToldOrally)) == 1
    assert await age(post) == 0


@pytest.mark.parametrize("agency", [OTHER_POLICE, POLICE])
async def test_p3_nobody_whom_the_rules_do_not_name_stands_in(post: Post, agency: str) -> None:
    child = Child()
    data = await post.referral(child)
    answer = await enter(post, data.referral_id, child.child_id, agency)
    assert (answer.status_code, answer.json()["notice_id"]) == (202, None)
    assert await reroutes(post) == []


async def test_p3_nobody_stands_in_for_whom_nobody_refused(post: Post) -> None:
    child = Child(towns=("Derby",))
    data = await post.referral(child)
    answer = await enter(post, data.referral_id, child.child_id, STATE)
    assert (answer.status_code, answer.json()["notice_id"]) == (202, None)
    assert await reroutes(post) == []


async def test_p3_nobody_stands_in_for_the_child_beside_it(post: Post) -> None:
    mine, other = Child(), Child(towns=("Derby",), name="Test Child Two")
    data = await post.referral(mine, other)
    answer = await enter(post, data.referral_id, other.child_id, STATE)
    assert answer.status_code == 202
    assert await reroutes(post) == []


async def test_p3_whoever_has_a_conflict_of_interest_stands_in_for_nobody(post: Post) -> None:
    child = Child()
    data = await post.referral(child)
    await post.conflict(data.referral_id, STATE)
    answer = await enter(post, data.referral_id, child.child_id, STATE)
    assert answer.status_code == 202
    assert await post.tasks("told_unlawfully") == [answer.json()["entry_id"]]
    assert all(each.agency_id != STATE for said in await reroutes(post) for each in said.notices)


@pytest.mark.parametrize("implicated_beside", [True, False])
async def test_c16_p3_an_implicated_trooper_keeps_the_state_police_from_standing_in(
    post: Post, implicated_beside: bool
) -> None:
    trooper: dict[str, object] = {"implicated": [{"kind": "state_trooper"}]}
    mine = Child(facts={} if implicated_beside else trooper)
    other = Child(name="Test Child Two", towns=("Derby",), facts=trooper)
    data = await post.referral(mine, *([other] if implicated_beside else []))
    answer = await enter(post, data.referral_id, mine.child_id, STATE)
    assert answer.status_code == 202
    assert all(each.agency_id != STATE for said in await reroutes(post) for each in said.notices)


async def test_p8_once_the_police_are_lawful_again_who_stood_in_hears_that_it_is_outdated(
    post: Post,
) -> None:
    child = Child()
    data = await post.referral(child)
    await enter(post, data.referral_id, child.child_id, STATE)
    await post.rows(
        "UPDATE notify.agencies SET authority_to = NULL WHERE agency_id = :agency RETURNING 1",
        agency=POLICE,
    )
    post.planning.directories._latest = None
    await post.referral(child, referral_id=data.referral_id, version=2)
    rows = await post.rows(
        "SELECT agency_id, kind FROM notify.notices WHERE version = 2 AND agency_id IN (:a, :b)",
        a=POLICE,
        b=STATE,
    )
    assert {(row.agency_id, row.kind) for row in rows} == {
        (POLICE, "original"),
        (STATE, "supersession"),
    }


async def test_c32_the_call_is_kept_though_nobody_can_be_planned(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> bool:
        raise RuntimeError("a fault of ours")

    child = Child()
    data = await post.referral(child)
    with monkeypatch.context() as patched:
        patched.setattr(Substitutes, "stand_in", fail)
        answer = await enter(post, data.referral_id, child.child_id, STATE)
        assert (answer.status_code, answer.json()["notice_id"]) == (202, None)
    await match(post)
    assert await age(post) == 0


async def test_c32_nobody_stands_in_where_the_rule_is_not_broken_by_authority(post: Post) -> None:
    """The lead is refused, and nobody stands in for it."""
    child = Child()
    await post.rows(
        "UPDATE notify.agencies SET authority_to = '2021-06-30' WHERE agency_id IN (:a, :b) "
        "RETURNING 1",
        a=LEAD,
        b=POLICE,
    )
    post.planning.directories._latest = None
    data = await post.referral(child)
    await enter(post, data.referral_id, child.child_id, STATE)
    (said,) = await reroutes(post)
    assert [each.role for each in said.left] == [Role.LOCAL_LAW_ENFORCEMENT]


async def test_c32_after_an_amendment_that_refuses_anew_a_call_is_on_record_too(
    post: Post,
) -> None:
    child = Child()
    data = await post.referral(child)
    await enter(post, data.referral_id, child.child_id, STATE)
    await post.referral(child, referral_id=data.referral_id, version=2)
    answer = await enter(post, data.referral_id, child.child_id, STATE)
    assert answer.status_code == 201, answer.text
    assert len(await post.events(ToldOrally)) == 2
    assert await age(post) == 0


async def test_p3_nobody_stands_in_where_a_childs_content_was_destroyed(post: Post) -> None:
    mine, other = Child(), Child(name="Test Child Two")
    data = await post.referral(mine, other)
    await post.rows(
        "UPDATE notify.child_keys SET wrapped = '', kek_version = 0, shredded_at = now() "
        "WHERE child_id = :child RETURNING child_id",
        child=other.child_id,
    )
    await post.rows(
        "INSERT INTO notify.shreddings (shredding_id, referral_id, child_id, ordered_at) "
        "VALUES ('shr_1', :referral, :child, now()) RETURNING 1",
        referral=data.referral_id,
        child=other.child_id,
    )
    answer = await enter(post, data.referral_id, mine.child_id, STATE)
    assert answer.status_code == 202
    assert await reroutes(post) == []


async def test_p3_nobody_stands_in_once_the_referral_is_withdrawn(post: Post) -> None:
    child = Child()
    data = await post.referral(child)
    await post.rows(
        "INSERT INTO notify.withdrawals (referral_id, version, cause, withdrawn_at, planned_at) "
        "VALUES (:referral, 1, 'false_report', now(), now()) RETURNING 1",
        referral=data.referral_id,
    )
    answer = await enter(post, data.referral_id, child.child_id, STATE)
    assert answer.status_code == 202
    assert await reroutes(post) == []


async def test_p8_nobody_is_planned_past_a_withdrawal_that_is_under_way(post: Post) -> None:
    """It holds the locks when the call is entered, and nobody hears of it before its commit."""
    child = Child()
    data = await post.referral(child)
    async with post.planning.db.transaction() as withdrawing:
        await withdrawing.execute(
            text(
                "INSERT INTO notify.withdrawals "
                "(referral_id, version, cause, withdrawn_at, planned_at) "
                "VALUES (:referral, 1, 'entered_in_error', now(), now())"
            ),
            {"referral": data.referral_id},
        )
        await lock_history(withdrawing, [data.referral_id])
        entering = asyncio.create_task(enter(post, data.referral_id, child.child_id, STATE))
        await asyncio.sleep(0.5)
        assert not entering.done()
    answer = await entering
    assert (answer.status_code, answer.json()["notice_id"]) == (202, None)
    assert await reroutes(post) == []


async def test_c32_what_a_claim_refused_is_stood_in_for_too(post: Post) -> None:
    """Its authority ended after the plan: the delivery was refused when it was claimed."""
    child = Child(towns=("Derby",))
    data = await post.referral(child)
    await post.planning.set_state(OTHER_POLICE, "refused")
    answer = await enter(post, data.referral_id, child.child_id, STATE)
    assert answer.status_code == 201, answer.text
    (said,) = await reroutes(post)
    assert [each.agency_id for each in said.left] == [OTHER_POLICE]
