"""A call that no notice will come for is ended by another person's word, with a reason (P9)."""

from typing import Any

import httpx
import pytest

from services.notify import waiting_checks
from services.notify.oral import entering
from shared.contracts.disclosures import ToldOrally
from shared.runtime.findings import Level
from shared.runtime.ids import new_id
from tests.integration.notify.test_oral_entries import age, enter, match
from tests.support.mailboxes import Post
from tests.support.planning import OTHER_POLICE, POLICE, Child

REASON = "Derby was called for Ansonia; nobody was told of any child."


async def waiting(post: Post) -> tuple[str, str, Child]:
    """A call to police who are told nothing of this child, entered longer ago than one waits."""
    child = Child()
    data = await post.referral(child)
    answer = await enter(post, data.referral_id, child.child_id, OTHER_POLICE)
    await post.rows(
        "UPDATE notify.oral_entries SET entered_at = entered_at - interval '16 minutes' RETURNING 1"
    )
    await match(post)
    return data.referral_id, answer.json()["entry_id"], child


async def decide(
    post: Post, entry: str, outcome: str = "not_told", caller: str | None = None, **more: Any
) -> httpx.Response:
    body = {"outcome": outcome, "reason": more.pop("reason", REASON)}
    more = {"scopes": "notices:close", "subject": "officer-b"} | more
    return await post.ask("POST", f"/v1/oral-entries/{entry}/decision", caller, body, **more)


async def listed(post: Post, referral: str, **more: Any) -> httpx.Response:
    path = f"/v1/referrals/{referral}/told-orally"
    return await post.ask("GET", path, None, **{"scopes": "notices:tell"} | more)


async def open_tasks(post: Post) -> list[Any]:
    return list(
        await post.rows(
            "SELECT acknowledged_by FROM notify.tasks WHERE kind = 'told_unlawfully' "
            "AND acknowledged_at IS NULL"
        )
    )


async def test_p9_a_decision_ends_the_call_its_age_and_its_task(post: Post) -> None:
    _, entry, _ = await waiting(post)
    assert await age(post) > 0
    assert len(await open_tasks(post)) == 1
    answer = await decide(post, entry)
    assert answer.status_code == 200, answer.text
    assert answer.json()["decided_by"] == "officer-b"
    assert await age(post) == 0
    assert await open_tasks(post) == []
    await match(post)
    assert await age(post) == 0
    assert await post.events(ToldOrally) == []
    (task,) = await post.rows("SELECT acknowledged_by FROM notify.tasks WHERE about = :e", e=entry)
    assert task.acknowledged_by == "officer-b"


async def test_p2_what_should_not_have_been_told_is_a_disclosure_on_record(post: Post) -> None:
    referral, entry, child = await waiting(post)
    answer = await decide(post, entry, "misdirected", reason="Told to the wrong town's police.")
    (record,) = await post.events(ToldOrally)
    assert record.disclosure_id == answer.json()["disclosure_id"]
    assert (record.referral_id, record.recipient_id) == (referral, OTHER_POLICE)
    assert record.child_ids == (child.child_id,)
    assert record.actor == "officer-a"
    assert "none on file" in record.authority
    (row,) = await post.rows("SELECT sealed, CAST(d AS text) AS said FROM notify.oral_decisions d")
    assert b"Dispatcher" not in row.sealed
    assert "Dispatcher" not in row.said


async def test_p2_of_a_child_that_nobody_here_knows_too(post: Post) -> None:
    child, referral = Child(), new_id("ref")
    entry = (await enter(post, referral, child.child_id)).json()["entry_id"]
    assert (await decide(post, entry, "misdirected")).status_code == 200
    (record,) = await post.events(ToldOrally)
    assert record.child_ids == (child.child_id,)
    (row,) = await post.rows("SELECT sealed FROM notify.oral_decisions")
    assert row.sealed is None


@pytest.mark.parametrize("subject", ["officer-a", " Officer-A", "officer-\u0430"])
async def test_p10_whoever_made_the_call_does_not_decide_it(post: Post, subject: str) -> None:
    _, entry, _ = await waiting(post)
    assert (await decide(post, entry, subject=subject)).status_code == 403
    assert await age(post) > 0


async def test_the_same_decision_again_is_the_same_answer_and_another_is_refused(
    post: Post,
) -> None:
    _, entry, _ = await waiting(post)
    first = await decide(post, entry)
    assert (await decide(post, entry)).json() == first.json()
    assert (await decide(post, entry, "misdirected")).status_code == 409
    assert (await decide(post, entry, subject="officer-c")).status_code == 409
    assert await post.events(ToldOrally) == []


async def test_p7_a_call_that_is_on_record_is_not_decided_away(post: Post) -> None:
    child = Child()
    data = await post.referral(child)
    entry = (await enter(post, data.referral_id, child.child_id, POLICE)).json()["entry_id"]
    answer = await decide(post, entry)
    assert answer.status_code == 409
    assert len(await post.events(ToldOrally)) == 1


async def test_p7_a_call_whose_notice_has_come_is_recorded_and_not_decided(post: Post) -> None:
    child, referral = Child(), new_id("ref")
    entry = (await enter(post, referral, child.child_id)).json()["entry_id"]
    await post.referral(child, referral_id=referral)
    assert (await decide(post, entry)).status_code == 409
    await match(post)
    assert len(await post.events(ToldOrally)) == 1


async def test_p10_only_the_departments_own_people_decide_and_list(post: Post) -> None:
    referral, entry, _ = await waiting(post)
    assert (await decide(post, entry, caller=POLICE)).status_code == 403
    assert (await decide(post, entry, person=False)).status_code == 403
    assert (await decide(post, entry, scopes="notices:tell")).status_code == 403
    assert (await decide(post, new_id("orl"))).status_code == 404
    assert (await decide(post, "orl_%00")).status_code == 404
    assert (await decide(post, entry, "lawful")).status_code == 422
    assert (await decide(post, entry, reason="  ")).status_code == 422
    path = f"/v1/referrals/{referral}/told-orally"
    assert (await post.ask("GET", path, POLICE, scopes="notices:tell")).status_code == 403
    assert (await listed(post, referral, scopes="notices:read")).status_code == 403
    assert await age(post) > 0


async def test_the_calls_of_a_referral_are_listed_without_whom_they_spoke_to(post: Post) -> None:
    referral, entry, child = await waiting(post)
    await enter(post, referral, child.child_id, POLICE)
    await decide(post, entry)
    answer = await listed(post, referral)
    assert "Dispatcher" not in answer.text
    first, second = answer.json()["entries"]
    assert (first["entry_id"], first["outcome"], first["decided_by"]) == (
        entry,
        "not_told",
        "officer-b",
    )
    assert first["reason"] == REASON
    assert second["notice_id"] == await post.notice(POLICE, referral)
    assert (await listed(post, new_id("ref"))).json() == {"entries": []}


async def test_the_answer_says_what_will_become_of_the_call(post: Post) -> None:
    child = Child()
    data = await post.referral(child)
    said = (await enter(post, data.referral_id, child.child_id, POLICE)).json()["what_happens"]
    assert said == entering.Expect.RECORDED.value
    said = (await enter(post, data.referral_id, child.child_id, OTHER_POLICE)).json()
    assert said["what_happens"] == entering.Expect.NO_NOTICE.format(entry_id=said["entry_id"])
    assert "in 15 minutes this is a task" in said["what_happens"]
    said = (await enter(post, new_id("ref"), child.child_id)).json()["what_happens"]
    assert said == entering.Expect.NO_PLAN.value
    await post.conflict(data.referral_id, OTHER_POLICE)
    said = (await enter(post, data.referral_id, child.child_id, OTHER_POLICE)).json()
    assert said["what_happens"] == entering.Expect.FORBIDDEN.format(entry_id=said["entry_id"])


async def test_p9_the_look_at_calls_is_not_well_while_one_waits_past_its_limit(post: Post) -> None:
    assert [f.level for f in await waiting_checks.calls(post.planning.db)] == [Level.WELL]
    _, entry, _ = await waiting(post)
    await post.rows("UPDATE notify.tasks SET acknowledged_at = now() RETURNING 1")
    (finding,) = await waiting_checks.calls(post.planning.db)
    assert finding.level is Level.ACT
    assert entry in finding.says
    await decide(post, entry)
    assert [f.level for f in await waiting_checks.calls(post.planning.db)] == [Level.WELL]


async def test_p9_a_decided_call_entered_again_promises_nothing_more(post: Post) -> None:
    _, entry, child = await waiting(post)
    (row,) = await post.rows("SELECT referral_id, told_at FROM notify.oral_entries")
    await decide(post, entry)
    again = await enter(post, row.referral_id, child.child_id, OTHER_POLICE, told_at=row.told_at)
    assert (again.status_code, again.json()["entry_id"]) == (202, entry)
    assert again.json()["what_happens"].startswith(f"Another person has decided this call ({entry}")
