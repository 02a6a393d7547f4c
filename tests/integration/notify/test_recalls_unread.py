"""C15: a misdirected notice that was pointed to and never opened is out of that mailbox at once."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import text

from services.notify.delivery import release_store
from shared.contracts.disclosures import DisclosuresAttempted
from shared.contracts.notices import NoticesClosed, NoticesPickedUp, NoticesRerouted
from shared.runtime.ids import utc_now
from tests.support.mailboxes import Post
from tests.support.planning import POLICE

MORE, OFF = f"ntc_{1:032x}", f"ntc_{2:032x}"


async def pointed(post: Post) -> tuple[str, str]:
    """(referral, notice) that a pointer told the police of Ansonia of, and that nobody opened."""
    data = await post.referral()
    notice = await post.notice(POLICE, data.referral_id)
    await post.pointed(notice, POLICE)
    return data.referral_id, notice


async def state(post: Post, notice: str) -> str:
    (row,) = await post.rows("SELECT state FROM notify.deliveries WHERE notice_id = :n", n=notice)
    return str(row.state)


@pytest.mark.parametrize("act", ["recall", "close"])
async def test_c15_what_nobody_opened_is_out_of_the_mailbox_at_once(post: Post, act: str) -> None:
    _, notice = await pointed(post)
    assert (await post.take_back(notice, act)).status_code == 200
    answer = await post.open(notice, POLICE)
    assert answer.status_code == 404
    assert answer.content == (await post.open(f"ntc_{'0' * 32}", POLICE)).content
    assert (await post.listed(POLICE))["notices"] == []
    assert (await post.history(notice, POLICE)).status_code == 404
    assert await state(post, notice) == "closed"
    assert await post.events(DisclosuresAttempted) == []


async def test_c15_its_recipient_is_told_nothing_and_a_person_that_the_duty_is_open(
    post: Post,
) -> None:
    _, notice = await pointed(post)
    planned = len(await post.rows("SELECT FROM notify.notices"))
    answer = (await post.take_back(notice)).json()
    assert (answer["recall_notice_id"], answer["disclosed"]) == (None, False)
    assert (await post.take_back(notice)).json() == answer
    assert len(await post.rows("SELECT FROM notify.notices")) == planned
    (said,) = await post.events(NoticesRerouted)
    assert [each.notice_id for each in said.left] == [notice]
    (task,) = await post.rows("SELECT kind, about, detail FROM notify.tasks")
    assert (task.kind, task.about) == ("misdirected", notice)
    assert "nothing was disclosed" in task.detail


async def test_c15_what_else_lies_unread_for_it_goes_with_it(post: Post) -> None:
    _, notice = await pointed(post)
    assert (await post.open(notice, POLICE)).status_code == 200
    await _beside(post, notice, MORE, "delivered", series="accepted", form="dcf_823")
    assert len((await post.listed(POLICE))["notices"]) == 2
    answer = (await post.take_back(notice)).json()
    assert answer["disclosed"] is True
    left = [each["notice_id"] for each in (await post.listed(POLICE))["notices"]]
    assert left == [notice, answer["recall_notice_id"]]
    (closed,) = await post.events(NoticesClosed)
    assert [each.notice_id for each in closed.notices] == [MORE]


async def test_c15_opened_and_recalled_at_the_same_moment_one_of_them_wins(post: Post) -> None:
    """Whichever it is, the record, the mailbox and the recipient's next notice say the same."""
    won = set()
    for _ in range(6):
        _, notice = await pointed(post)
        opened, recalled = await asyncio.gather(post.open(notice, POLICE), post.take_back(notice))
        assert recalled.status_code == 200, recalled.text
        first = opened.status_code == 200
        assert recalled.json()["disclosed"] is first
        assert (recalled.json()["recall_notice_id"] is not None) is first
        there = {each["notice_id"] for each in (await post.listed(POLICE))["notices"]}
        assert (notice in there) is first
        won.add(first)
    assert won


async def test_p2_the_opening_that_was_first_makes_it_an_incident(post: Post) -> None:
    """The recall comes while the opening holds the delivery, and waits for it."""
    _, notice = await pointed(post)
    async with post.planning.db.transaction() as session:
        await session.execute(
            text("SELECT FROM notify.deliveries WHERE notice_id = :n FOR UPDATE"), {"n": notice}
        )
        opening = asyncio.create_task(post.open(notice, POLICE))
        await _waits(post, 1)
        recall = asyncio.create_task(post.take_back(notice))
        await _waits(post, 2)
    assert (await opening).status_code == 200
    assert (await recall).json()["disclosed"] is True
    assert len(await post.events(NoticesPickedUp)) == 1


async def test_p3_the_recall_that_was_first_keeps_it_shut(post: Post) -> None:
    _, notice = await pointed(post)
    async with post.planning.db.transaction() as session:
        await session.execute(
            text("SELECT FROM notify.deliveries WHERE notice_id = :n FOR UPDATE"), {"n": notice}
        )
        recall = asyncio.create_task(post.take_back(notice))
        await _waits(post, 1)
        opening = asyncio.create_task(post.open(notice, POLICE))
        await _waits(post, 2)
    assert (await recall).json()["disclosed"] is False
    assert (await opening).status_code == 404
    assert await post.events(DisclosuresAttempted) == []


async def test_p8_an_unread_original_of_a_false_report_is_followed_by_its_withdrawal(
    post: Post,
) -> None:
    """It can still be opened: so whoever opens it must learn that it was withdrawn."""
    notice = await _withdrawn_after(post)
    assert await state(post, notice) == "pending"


async def test_p3_no_withdrawal_follows_an_original_that_was_taken_back_unread(post: Post) -> None:
    notice = await _withdrawn_after(post, closed=True)
    assert await state(post, notice) == "superseded"


async def _withdrawn_after(post: Post, *, closed: bool = False) -> str:
    """A withdrawal that waited for the pointer, which has arrived now."""
    _, notice = await pointed(post)
    off = {"kind": "withdrawal", "profile": None, "cause": "false_report"}
    await _beside(post, notice, OFF, "blocked", series="withdrawal", **off)
    if closed:
        await post.rows(
            "UPDATE notify.deliveries SET state = 'closed' WHERE notice_id = :n RETURNING 1",
            n=notice,
        )
    async with post.planning.db.transaction() as session:
        await release_store.release(session, utc_now())
    return OFF


async def _beside(
    post: Post, notice: str, new_id: str, state: str, *, series: str, **changed: str | None
) -> None:
    """Another notice of the same recipient, as a later stage plans it."""
    await post.rows(
        "INSERT INTO notify.notices SELECT (jsonb_populate_record(n, "
        "CAST(CAST(:changed AS text) AS jsonb))).* FROM notify.notices n "
        "WHERE n.notice_id = :notice RETURNING 1",
        changed=json.dumps({"notice_id": new_id, "series": series} | changed),
        notice=notice,
    )
    await post.rows(
        "INSERT INTO notify.deliveries (notice_id, referral_id, child_id, agency_id, version, "
        "state, attempts, series) SELECT CAST(:new AS text), referral_id, child_id, agency_id, "
        "version, CAST(:state AS text), 0, CAST(:series AS text) FROM notify.deliveries "
        "WHERE notice_id = :notice RETURNING 1",
        new=new_id,
        state=state,
        series=series,
        notice=notice,
    )


async def _waits(post: Post, many: int) -> None:
    """Until so many statements wait for a lock."""
    for _ in range(500):
        rows: Any = await post.rows(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock'"
        )
        if len(rows) >= many:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nothing waited")
