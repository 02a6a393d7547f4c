"""A recipient's own system says what it holds; what it should and does not is a task (P1)."""

from datetime import timedelta
from typing import Any

import pytest

from shared.runtime.ids import new_id, utc_now
from tests.support.mailboxes import Post
from tests.support.planning import FBI, POLICE


async def taken(post: Post, ago: timedelta = timedelta(hours=2)) -> str:
    """A notice for whose webhook the FBI's server has answered 200."""
    data = await post.referral()
    notice = await post.notice(FBI, data.referral_id)
    at = utc_now() - ago
    await post.rows(
        "WITH sent AS (INSERT INTO notify.disclosures "
        "(disclosure_id, notice_id, agency_id, attempted_at) "
        "VALUES (:id, :notice, :agency, :at) RETURNING disclosure_id) "
        "INSERT INTO notify.disclosure_outcomes SELECT disclosure_id, 'completed', 200, :at "
        "FROM sent RETURNING 1",
        id=new_id("dsc"),
        notice=notice,
        agency=FBI,
        at=at,
    )
    return notice


async def state(post: Post, *notices: str, agency: str = FBI, **times: Any) -> Any:
    now = utc_now()
    body = {
        "since": (times.get("since") or now - timedelta(days=1)).isoformat(),
        "until": (times.get("until") or now).isoformat(),
        "notice_ids": list(notices),
    }
    return await post.ask("POST", "/v1/mailbox/receipts", agency, body, person=False)


async def test_p1_what_its_server_answered_for_and_it_does_not_hold_is_a_task_once(
    post: Post,
) -> None:
    lost, kept = await taken(post), await taken(post)
    assert (await state(post, kept)).json() == {"missing": [lost]}
    assert (await state(post, kept)).json() == {"missing": [lost]}
    assert await post.tasks("not_held") == [lost]
    assert (await state(post, lost)).json() == {"missing": []}


async def test_what_is_on_its_way_into_its_files_or_outside_the_time_is_not_missing(
    post: Post,
) -> None:
    await taken(post, timedelta(minutes=1))
    await taken(post, timedelta(days=3))
    assert (await state(post)).json() == {"missing": []}
    assert await post.tasks("not_held") == []


async def test_who_was_asked_to_give_it_up_need_not_hold_it(post: Post) -> None:
    lost = await taken(post)
    assert (await state(post)).json() == {"missing": [lost]}
    await post.rows(
        "INSERT INTO notify.recalls (notice_id, reason, recalled_by, recalled_at) "
        "VALUES (:lost, 'wrong_town', 'person-a', now()) RETURNING 1",
        lost=lost,
    )
    assert (await state(post)).json() == {"missing": []}


async def test_p10_anothers_notice_and_nobodys_leave_no_trace_and_the_same_answer(
    post: Post,
) -> None:
    notice = await taken(post)
    for strange in (notice, new_id("ntc")):
        answer = await state(post, strange, agency=POLICE)
        assert (answer.status_code, answer.json()) == (200, {"missing": []})
    assert await post.rows("SELECT FROM notify.receipts") == []


async def test_p10_a_suppressed_agency_is_asked_for_nothing_it_was_never_sent(post: Post) -> None:
    data = await post.referral()
    await post.conflict(data.referral_id, FBI)
    assert (await state(post)).json() == {"missing": []}


@pytest.mark.parametrize("days", [(1, 1), (0, 1), (40, 0), (1, -1)])
async def test_a_time_that_makes_no_sense_is_refused_and_nothing_kept(
    post: Post, days: tuple[int, int]
) -> None:
    now = utc_now()
    since, until = (now - timedelta(days=each) for each in days)
    answer = await state(post, since=since, until=until)
    assert answer.status_code == 422
    assert await post.rows("SELECT FROM notify.statements") == []


async def test_what_is_no_id_is_refused(post: Post) -> None:
    assert (await state(post, "ntc_1")).status_code == 422
