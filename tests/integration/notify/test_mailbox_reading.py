"""Listing and opening in the mailbox: content-free, then on record before the first byte."""

import io
import json
from datetime import timedelta
from typing import Any

import httpx
import pypdfium2
import pytest

from services.notify.mailbox import opening
from shared.contracts.codes import Channel, NoticeKind
from shared.contracts.disclosures import DisclosuresAttempted
from shared.contracts.notices import NoticesPickedUp
from shared.runtime.ids import new_id, utc_now
from tests.support.mailboxes import Post
from tests.support.planning import FBI, POLICE, Child


async def test_the_list_says_that_something_came_and_nothing_of_what_it_says(post: Post) -> None:
    child = Child(name="Synthetic Child Canary")
    data = await post.referral(child)
    notice = await post.notice(POLICE, data.referral_id)
    listed = await post.listed(POLICE)
    (item,) = listed["notices"]
    assert item == {
        "notice_id": notice,
        "kind": "original",
        "form": "DCF-737",
        "version": 1,
        "received_at": item["received_at"],
        "unread": True,
        "acknowledged": False,
    }
    assert (listed["cursor"], listed["more"]) == (1, False)
    said = json.dumps(listed)
    for secret in ("Canary", "Ansonia", "HL-TEST", data.referral_id, child.child_id):
        assert secret not in said
    assert await post.events(DisclosuresAttempted) == []


async def test_the_cursor_leaves_nothing_out_and_shows_nothing_twice(post: Post) -> None:
    expected = [await _new(post) for _ in range(5)]
    seen: list[str] = []
    cursor, more = 0, True
    while more:
        page = await post.listed(POLICE, f"?after={cursor}&limit=2")
        seen += [each["notice_id"] for each in page["notices"]]
        cursor, more = page["cursor"], page["more"]
    assert seen == expected
    later = await _new(post)
    page = await post.listed(POLICE, f"?after={cursor}")
    assert [each["notice_id"] for each in page["notices"]] == [later]
    assert (await post.listed(POLICE, f"?after={page['cursor']}"))["notices"] == []


async def test_what_commits_late_stands_behind_what_was_listed_already(post: Post) -> None:
    """Its plan is of an earlier time than one that was listed before its commit."""
    listed = await _new(post)
    cursor = (await post.listed(POLICE))["cursor"]
    data = post.planning.announce()
    post.planning.now = utc_now() - timedelta(minutes=1)
    await post.planning.plan(data)
    late = await post.notice(POLICE, data.referral_id)
    page = await post.listed(POLICE, f"?after={cursor}")
    assert [each["notice_id"] for each in page["notices"]] == [late]
    assert [each["notice_id"] for each in (await post.listed(POLICE))["notices"]] == [listed, late]


async def test_opening_answers_with_the_form_and_is_a_disclosure_by_a_person(post: Post) -> None:
    data = await post.referral(Child(name="Synthetic Child One"))
    notice = await post.notice(POLICE, data.referral_id)
    answer = await post.open(notice, POLICE)
    assert answer.status_code == 200
    form = answer.json()
    assert (form["form"], form["kind"], form["notice_id"]) == ("DCF-737", "original", notice)
    assert form["child"]["name"] == "Synthetic Child One"
    assert form["confidentiality"].startswith("CONFIDENTIAL")
    (attempted,) = await post.events(DisclosuresAttempted)
    (attempt,) = attempted.attempts
    assert (attempt.channel, attempt.actor) == (Channel.MAILBOX, "officer-a")
    assert attempt.fields == ("name", "parents.name")
    assert attempt.purpose.endswith("(investigation)")
    (item,) = (await post.listed(POLICE))["notices"]
    assert item["unread"] is False


async def test_c29_what_was_destroyed_since_is_gone_for_its_holder_too_and_no_reading(
    post: Post,
) -> None:
    child = Child()
    data = await post.referral(child)
    notice = await post.notice(POLICE, data.referral_id)
    assert (await post.open(notice, POLICE)).status_code == 200
    await post.rows(
        "UPDATE notify.child_keys SET wrapped = '', kek_version = 0, shredded_at = now() "
        "WHERE child_id = :child RETURNING child_id",
        child=child.child_id,
    )
    answer = await post.open(notice, POLICE)
    assert (answer.status_code, answer.json()["title"]) == (410, "Gone")
    assert len(await post.rows("SELECT FROM notify.openings")) == 1


async def test_p2_the_reading_is_committed_before_its_first_byte(post: Post) -> None:
    notice = await _new(post)
    app, seen = post.client._transport.app, []  # type: ignore[attr-defined]

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def look(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.append(len(await post.rows("SELECT FROM notify.openings")))
                seen.append(len(await post.events(DisclosuresAttempted)))
            await send(message)

        await app(scope, receive, look)

    transport = httpx.ASGITransport(watched)
    async with httpx.AsyncClient(transport=transport, base_url="http://notify.test") as client:
        post.client = client
        assert (await post.open(notice, POLICE)).status_code == 200
    assert seen == [1, 1]


async def test_what_cannot_be_recorded_is_not_shown(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = await post.referral(Child(name="Synthetic Child One"))
    notice = await post.notice(POLICE, data.referral_id)

    async def fails(*_: object) -> None:
        raise RuntimeError("no disk")

    monkeypatch.setattr(opening.Desk, "_record", fails)
    answer = await post.open(notice, POLICE)
    assert answer.status_code == 500
    assert "Synthetic" not in answer.text
    assert await post.rows("SELECT FROM notify.openings") == []


async def test_every_opening_is_on_record_and_only_the_first_is_picked_up(post: Post) -> None:
    notice = await _new(post)
    first = await post.open(notice, POLICE)
    second = await post.open(notice, POLICE, subject="officer-b")
    assert first.content == second.content
    attempted = await post.events(DisclosuresAttempted)
    assert [each.attempts[0].actor for each in attempted] == ["officer-a", "officer-b"]
    (picked_up,) = await post.events(NoticesPickedUp)
    assert picked_up.notices[0].notice_id == notice
    rows = await post.rows("SELECT opened_by, purpose FROM notify.openings ORDER BY opened_at")
    assert [row.opened_by for row in rows] == ["officer-a", "officer-b"]


async def test_the_same_notice_as_pdf_for_people_who_file_paper(post: Post) -> None:
    data = await post.referral(Child(name="Synthetic Child One"))
    notice = await post.notice(POLICE, data.referral_id)
    answer = await post.open(notice, POLICE, Accept="application/pdf")
    assert answer.headers["content-type"] == "application/pdf"
    document = pypdfium2.PdfDocument(io.BytesIO(answer.content))
    said = "".join(page.get_textpage().get_text_range() for page in document)
    assert "Synthetic Child One" in said
    assert len(await post.events(DisclosuresAttempted)) == 1


async def test_only_a_person_opens_and_only_with_a_purpose(post: Post) -> None:
    notice = await _new(post)
    assert (await post.open(notice, POLICE, person=False)).status_code == 403
    path = f"/v1/mailbox/notices/{notice}/opening"
    assert (await post.ask("POST", path, POLICE, {})).status_code == 422
    assert (await post.ask("POST", path, POLICE, {"purpose": "curiosity"})).status_code == 422
    assert (await post.ask("GET", path, POLICE)).status_code == 405
    assert await post.events(DisclosuresAttempted) == []


async def test_whoever_has_opened_it_needs_no_pointer_any_more(post: Post) -> None:
    notice = await _new(post)
    await post.open(notice, POLICE)
    (row,) = await post.rows(
        "SELECT * FROM notify.deliveries WHERE notice_id = :notice", notice=notice
    )
    assert (row.state, row.next_attempt_at, row.delivered_at) == ("delivered", None, None)
    assert row.opened_at is not None


async def test_an_encrypted_notice_still_goes_out_after_it_was_opened(post: Post) -> None:
    notice = await _new(post, FBI)
    assert (await post.open(notice, FBI)).status_code == 200
    (row,) = await post.rows(
        "SELECT state FROM notify.deliveries WHERE notice_id = :notice", notice=notice
    )
    assert row.state == "pending"


async def test_p8_a_recipient_that_has_read_it_gets_a_correction_and_keeps_what_it_read(
    post: Post,
) -> None:
    child = Child()
    data = await post.referral(child)
    first = await post.notice(POLICE, data.referral_id)
    before = (await post.open(first, POLICE)).content
    amended = Child(child_id=child.child_id, name="Test Child Two")
    await post.referral(amended, referral_id=data.referral_id, version=2)
    second = await post.notice(POLICE, data.referral_id, 2)
    listed = (await post.listed(POLICE))["notices"]
    assert [(each["notice_id"], each["kind"]) for each in listed] == [
        (first, "original"),
        (second, "correction"),
    ]
    assert (await post.open(first, POLICE)).content == before
    await post.open(second, POLICE)
    versions = (await post.history(first, POLICE)).json()["versions"]
    assert [each["version"] for each in versions] == [1, 2]
    assert versions[0]["changes"] is None
    assert versions[1]["changes"] == [{"field": "name", "change": "changed"}]


async def test_p4_of_a_version_that_nobody_has_read_not_even_the_changed_fields_are_told(
    post: Post,
) -> None:
    child = Child()
    data = await post.referral(child)
    first = await post.notice(POLICE, data.referral_id)
    await post.open(first, POLICE)
    amended = Child(child_id=child.child_id, name="Test Child Two")
    await post.referral(amended, referral_id=data.referral_id, version=2)
    versions = (await post.history(first, POLICE)).json()["versions"]
    assert [each["changes"] for each in versions] == [None, None]
    assert versions[1]["unread"] is True


async def test_p8_an_unread_version_makes_room_for_the_next_which_is_its_original(
    post: Post,
) -> None:
    """A pointer arrived, nobody read what it points to, and it is amended."""
    child = Child()
    data = await post.referral(child)
    first = await post.notice(POLICE, data.referral_id)
    await _pointer_arrived(post, first)
    await post.referral(child, referral_id=data.referral_id, version=2)
    second = await post.notice(POLICE, data.referral_id, 2)
    (item,) = (await post.listed(POLICE))["notices"]
    assert (item["notice_id"], item["kind"]) == (second, NoticeKind.ORIGINAL)
    assert (await post.open(first, POLICE)).status_code == 404


async def test_p3_what_nobody_read_is_gone_once_its_recipient_has_left_the_route(
    post: Post,
) -> None:
    child = Child()
    data = await post.referral(child)
    first = await post.notice(POLICE, data.referral_id)
    await _pointer_arrived(post, first)
    moved = Child(child_id=child.child_id, towns=("Derby",))
    await post.referral(moved, referral_id=data.referral_id, version=2)
    assert (await post.listed(POLICE))["notices"] == []
    assert (await post.open(first, POLICE)).status_code == 404
    kinds = await post.rows(
        "SELECT kind FROM notify.notices WHERE agency_id = :agency AND version = 2", agency=POLICE
    )
    assert kinds == []


async def test_p8_a_later_version_waits_in_the_mailbox_while_an_earlier_attempt_is_open(
    post: Post,
) -> None:
    child = Child()
    data = await post.referral(child)
    first = await post.notice(FBI, data.referral_id)
    await post.planning.set_state(FBI, "attempting", None)
    await post.referral(child, referral_id=data.referral_id, version=2)
    second = await post.notice(FBI, data.referral_id, 2)
    assert (await post.open(second, FBI)).status_code == 404
    assert (await post.open(first, FBI)).status_code == 200


@pytest.mark.parametrize("change", ["authority_to = '2020-01-01'", "closed = true"])
async def test_p3_without_authority_in_force_nothing_new_is_opened_and_the_read_stays(
    post: Post, change: str
) -> None:
    read, unread = await _new(post), await _new(post)
    before = (await post.open(read, POLICE)).content
    await post.rows(
        f"UPDATE notify.agencies SET {change} WHERE agency_id = :agency RETURNING 1", agency=POLICE
    )
    assert (await post.open(unread, POLICE)).status_code == 404
    assert (await post.open(read, POLICE)).content == before
    assert [each["notice_id"] for each in (await post.listed(POLICE))["notices"]] == [read]


async def test_an_agency_that_nobody_knows_has_an_empty_mailbox(post: Post) -> None:
    assert (await post.listed(new_id("agy"))) == {"notices": [], "cursor": 0, "more": False}


async def _new(post: Post, agency: str = POLICE) -> str:
    return await post.notice(agency, (await post.referral()).referral_id)


async def _pointer_arrived(post: Post, notice: str) -> None:
    await post.rows(
        "UPDATE notify.deliveries SET state = 'delivered', attempts = 1, next_attempt_at = NULL, "
        "delivered_at = now(), unread_since = now() WHERE notice_id = :notice RETURNING 1",
        notice=notice,
    )
    await post.rows(
        "INSERT INTO notify.disclosures (disclosure_id, notice_id, agency_id, attempted_at, "
        "channel) VALUES (:id, :notice, :agency, now(), 'pickup') RETURNING 1",
        id=new_id("dsc"),
        notice=notice,
        agency=POLICE,
    )
