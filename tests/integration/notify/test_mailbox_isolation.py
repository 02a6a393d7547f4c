"""P10 over every route of the mailbox: nobody reaches another's notice, or learns that it is."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.store import Conflict
from shared.runtime.ids import new_id, utc_now
from tests.support.deliveries import eventually
from tests.support.mailboxes import OPEN, RECEIVED, Post
from tests.support.planning import FBI, MDT, POLICE, Child

BODIES: dict[str, object] = {
    "/v1/mailbox/notices/{notice_id}/opening": OPEN,
    "/v1/mailbox/notices/{notice_id}/acknowledgements": RECEIVED,
    "/v1/mailbox/notices/{notice_id}/not-ours": {"reason": "wrong_town"},
    "/v1/mailbox/receipts": {
        "since": "2026-03-02T00:00:00Z",
        "until": "2026-03-03T00:00:00Z",
        "notice_ids": [],
    },
}
SCOPES = {
    "opening": "mailbox:open",
    "acknowledgements": "mailbox:acknowledge",
    "not-ours": "mailbox:acknowledge",
    "history": "mailbox:list",
    "notices": "mailbox:list",
    "receipts": "mailbox:acknowledge",
    "webhook-secrets": "mailbox:secret",
}
TABLES = ["openings", "acknowledgements", "returns", "conflicts", "disclosures", "outbox"]


def routes(post: Post) -> Iterator[tuple[str, str]]:
    """(method, path) of every route, read from the router itself."""
    for route in post.api.routes:
        for method in sorted(route.methods - {"HEAD"}):
            yield method, route.path


async def written(post: Post) -> dict[str, int]:
    return {
        table: (await post.rows(f"SELECT count(*) AS n FROM notify.{table}"))[0].n
        for table in TABLES
    }


async def stranger_ids(post: Post) -> dict[str, str]:
    """Ids that are none of the FBI's: another's, nobody's, malformed, and its own suppressed."""
    data = await post.referral()
    suppressed = await post.notice(FBI, data.referral_id)
    await post.conflict(data.referral_id, FBI)
    late = await post.referral()
    await post.rows(
        "UPDATE notify.deliveries SET state = 'superseded', next_attempt_at = NULL "
        "WHERE notice_id = :notice RETURNING 1",
        notice=await post.notice(FBI, late.referral_id),
    )
    return {
        "foreign": await post.notice(POLICE, data.referral_id),
        "unknown": new_id("ntc"),
        "suppressed": suppressed,
        "superseded unread": await post.notice(FBI, late.referral_id),
        "a referral": data.referral_id,
        "malformed": "ntc_%00",
        "long": "ntc_" + "0" * 4000,
    }


async def test_p10_every_route_answers_every_strange_id_with_the_same_bytes(post: Post) -> None:
    ids = await stranger_ids(post)
    before = await written(post)
    asked = [each for each in routes(post) if "{notice_id}" in each[1]]
    assert len(asked) == 4
    answers = [
        (what, await post.ask(method, path.format(notice_id=id_), FBI, BODIES.get(path)))
        for method, path in asked
        for what, id_ in ids.items()
    ]
    answers.append(("nowhere", await post.ask("GET", "/v1/nothing", FBI)))
    assert [what for what, answer in answers if answer.status_code != 404] == []
    assert len({answer.content for _, answer in answers}) == 1
    heads = [{k: v for k, v in answer.headers.items() if k != "date"} for _, answer in answers]
    assert all(head == heads[0] for head in heads)
    assert await written(post) == before


async def test_p10_a_method_that_is_not_offered_tells_no_notice_from_none(post: Post) -> None:
    """One that it holds, another's and nobody's: to HEAD, OPTIONS and the rest all are the same."""
    data = await post.referral()
    ids = [await post.notice(each, data.referral_id) for each in (FBI, POLICE)] + [new_id("ntc")]
    await post.open(ids[0], FBI)
    before = await written(post)
    offered = {each for each in routes(post) if "{notice_id}" in each[1]}
    for path in sorted({path for _, path in offered}):
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "POST", "TRACE"):
            if (method, path) in offered:
                continue
            answers = [await post.ask(method, path.format(notice_id=id_), FBI) for id_ in ids]
            assert len({(each.status_code, each.content) for each in answers}) == 1, (method, path)
            assert answers[0].status_code in (404, 405)
    assert await written(post) == before


async def test_p10_every_agency_lists_its_own_and_no_other(post: Post) -> None:
    data = await post.referral(Child(), Child(name="Test Child Two"))
    for agency in (POLICE, FBI, MDT):
        listed = {each["notice_id"] for each in (await post.listed(agency))["notices"]}
        rows = await post.rows(
            "SELECT notice_id FROM notify.notices WHERE agency_id = :agency", agency=agency
        )
        assert listed == {row.notice_id for row in rows}
        assert len(listed) == 2
    assert data.referral_id


async def test_p10_a_suppressed_agency_sees_what_it_would_see_had_it_never_been(
    post: Post,
) -> None:
    """Its list, cursor included, equals that of an agency to which nothing was planned."""
    nothing = await post.listed(FBI)
    data = await post.referral()
    await post.conflict(data.referral_id, FBI)
    assert await post.listed(FBI) == nothing
    seen = await post.referral()
    listed = await post.listed(FBI)
    assert listed["cursor"] == 1
    assert [each["notice_id"] for each in listed["notices"]] == [
        await post.notice(FBI, seen.referral_id)
    ]


async def test_p8_a_late_conflict_leaves_readable_what_it_holds_and_brings_nothing_new(
    post: Post,
) -> None:
    child = Child()
    data = await post.referral(child)
    held = await post.notice(FBI, data.referral_id)
    before = (await post.open(held, FBI)).content
    history = (await post.history(held, FBI)).content
    await post.conflict(data.referral_id, FBI)
    changed = Child(child_id=child.child_id, name="Test Child Two")
    await post.referral(changed, referral_id=data.referral_id, version=2)
    assert (await post.open(held, FBI)).content == before
    assert (await post.history(held, FBI)).content == history
    assert [each["notice_id"] for each in (await post.listed(FBI))["notices"]] == [held]


@pytest.mark.parametrize("scope", ["mailbox:list", "mailbox:open", "mailbox:acknowledge", "none"])
async def test_p10_every_route_needs_a_token_with_its_scope_and_an_agency(
    post: Post, scope: str
) -> None:
    found = list(routes(post))
    assert len(found) == 8
    for method, path in found:
        where, body = path.format(notice_id=new_id("ntc")), BODIES.get(path)
        assert (await post.client.request(method, where)).status_code == 401
        answer = await post.ask(method, where, FBI, body, scopes=scope)
        needed = SCOPES[path.rpartition("/")[2]]
        assert (answer.status_code == 403) is (scope != needed)
        nobody: Any = await post.ask(method, where, None, body, scopes=needed)
        assert nobody.status_code == 403


async def test_p3_an_opening_that_waits_for_an_assertion_under_way_is_bound_by_it(
    post: Post,
) -> None:
    """The opening has looked before the assertion commits, and would record after it."""
    data = await post.referral()
    notice = await post.notice(FBI, data.referral_id)
    async with post.planning.db.transaction() as session:
        await conflict_store.hold_agencies(session, [FBI])
        conflict = Conflict(
            new_id("ast"), data.referral_id, None, (FBI,), "other", "person-a", utc_now()
        )
        await conflict_store.insert(session, conflict)
        opening = asyncio.create_task(post.open(notice, FBI))
        await eventually(lambda: _somebody_waits(post))
        assert not opening.done()
    assert (await opening).status_code == 404
    assert await post.rows("SELECT FROM notify.openings") == []


async def _somebody_waits(post: Post) -> bool:
    return bool(await post.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))
