"""Amending referrals over a real PostgreSQL: versions, preconditions, identity."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from shared.contracts.referrals import ReferralAmended
from shared.runtime.db import Database
from shared.runtime.ids import new_event_id
from tests.support.databases import FreshDatabase
from tests.support.intake import child, events_of, patch, post, project, referral


@pytest.fixture
async def intake_db(module_database: FreshDatabase) -> AsyncIterator[Database]:
    """One database for all of these: each test has referrals of its own."""
    yield module_database.open("intake")
    await module_database.close()


async def create(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await post(client, referral(**fields), new_event_id())
    assert answer.status_code == 201, answer.text
    kept: dict[str, Any] = answer.json()
    return kept


async def last_event(db: Database) -> Any:
    query = "SELECT body, sequence FROM intake.outbox ORDER BY id DESC LIMIT 1"
    async with db.transaction() as session:
        rows = (await session.execute(text(query))).mappings().all()
    return events_of([dict(row) for row in rows])[0]


async def count(db: Database, of: str, kept: dict[str, Any]) -> Any:
    async with db.transaction() as session:
        query = text(f"SELECT count(*) FROM intake.{of} = :referral_id")
        return await session.scalar(query, {"referral_id": kept["referral_id"]})


async def copy(client: httpx.AsyncClient, kept: dict[str, Any], version: int) -> dict[str, Any]:
    answer = await project(client, kept["referral_id"], version)
    assert answer.status_code == 200, answer.text
    first: dict[str, Any] = answer.json()["children"][0]["copies"]["law_enforcement"]
    return first


async def test_an_amendment_makes_a_version_and_an_event_and_leaves_the_old_one_readable(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    kept = await create(client)
    known = kept["children"][0]["child_id"]
    changed = child(child_id=known, residence_town="Derby", ht_type="labor")
    answer = await patch(client, kept["referral_id"], {"children": [changed]})
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"2"'
    amended = answer.json()
    assert amended["children"] == kept["children"]
    assert (amended["version"], amended["number"]) == (2, kept["number"])
    event = await last_event(intake_db)
    assert isinstance(event, ReferralAmended)
    assert (event.version, event.children[0].ht_type.value) == (2, "labor")
    assert (await copy(client, kept, 1))["residence_town"] == "Ansonia"
    assert (await copy(client, kept, 2))["residence_town"] == "Derby"


async def test_a_child_may_be_added_and_gets_an_id_of_its_own(client: httpx.AsyncClient) -> None:
    kept = await create(client)
    known = kept["children"][0]["child_id"]
    children = [child(name="Test Child Two"), child(child_id=known)]
    answer = await patch(client, kept["referral_id"], {"children": children})
    ids = [each["child_id"] for each in answer.json()["children"]]
    assert ids[1] == known
    assert ids[0] != known
    shown = (await project(client, kept["referral_id"], 2)).json()["children"]
    names = [each["copies"]["law_enforcement"]["name"] for each in shown]
    assert [each["child_id"] for each in shown] == ids
    assert names == ["Test Child Two", "Test Child One"]


async def test_what_the_patch_does_not_name_stays_and_null_removes(
    client: httpx.AsyncClient,
) -> None:
    reporter = {"anonymous": False, "name": "Example Person", "phone": "555-0100"}
    kept = await create(client, reporter=reporter)
    await patch(client, kept["referral_id"], {"reporter": {"phone": None}})
    # Back to what it was: were the name lost, this would not be a change to version 3.
    answer = await patch(client, kept["referral_id"], {"reporter": {"phone": "555-0100"}}, '"2"')
    assert answer.json()["version"] == 3
    assert (await copy(client, kept, 1)) == (await copy(client, kept, 3))


async def test_a_patch_that_changes_nothing_makes_no_version(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    kept = await create(client)
    answer = await patch(client, kept["referral_id"], {"source_type": "school"})
    assert (answer.status_code, answer.json()) == (200, kept)
    assert await count(intake_db, "outbox WHERE subject", kept) == 1


async def test_two_racing_amendments_end_as_one_200_and_one_412(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    kept = await create(client)
    answers = await asyncio.gather(
        *(patch(client, kept["referral_id"], {"source_type": code}) for code in ("ems", "ngo"))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert (await last_event(intake_db)).version == 2


@pytest.mark.parametrize("tag", ['"2"', 'W/"1"', '"x"', "1", '""'])
async def test_a_tag_that_is_not_the_current_version_is_412(
    client: httpx.AsyncClient, tag: str
) -> None:
    kept = await create(client)
    assert (await patch(client, kept["referral_id"], {}, tag)).status_code == 412


@pytest.mark.parametrize("tag", [None, "*", " "])
async def test_an_amendment_must_say_what_it_amends(
    client: httpx.AsyncClient, tag: str | None
) -> None:
    kept = await create(client)
    assert (await patch(client, kept["referral_id"], {}, tag)).status_code == 428


async def test_one_of_several_tags_is_enough(client: httpx.AsyncClient) -> None:
    kept = await create(client)
    answer = await patch(client, kept["referral_id"], {"source_type": "ems"}, '"7", "1"')
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"children": []}, "#/children"),
        ({"children": None}, "#/children"),
        ({"children": [child(name="Test Child Two")]}, "#/children"),
        ({"children": [child(child_id=f"chd_{'0' * 32}")]}, "#/children/0/child_id"),
        ({"synthetic": True}, "#/synthetic"),
        ({"surprise": 1}, "#/surprise"),
        ({"reporter": {"anonymous": True}}, "#/reporter/name"),
        ({"received_at": "2999-01-01T00:00:00Z"}, "#/received_at"),
        ([], "#"),
        ("text", "#"),
        (None, "#"),
    ],
)
async def test_an_amendment_that_cannot_be_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, body: object, pointer: str
) -> None:
    kept = await create(client)
    answer = await patch(client, kept["referral_id"], body)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert (await client.get(kept["links"]["self"])).json() == kept


async def test_received_at_may_be_amended_and_its_first_value_stays_on_record(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    kept = await create(client)
    earlier = "2026-01-02T03:04:05Z"
    answer = await patch(client, kept["referral_id"], {"received_at": earlier})
    assert answer.json()["received_at"] == earlier
    assert await count(intake_db, "referral_versions WHERE referral_id", kept) == 2


async def test_p1_an_amendment_whose_answer_was_lost_is_sent_again_and_answered_again(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    kept = await create(client)
    body = {"source_type": "ems"}
    first = await patch(client, kept["referral_id"], body, key="amend-1")
    again = await patch(client, kept["referral_id"], body, key="amend-1")
    assert (first.status_code, again.status_code) == (200, 200)
    assert (again.content, again.headers["etag"]) == (first.content, '"2"')
    assert await count(intake_db, "referral_versions WHERE referral_id", kept) == 2
    assert await count(intake_db, "outbox WHERE subject", kept) == 2


async def test_p1_the_first_answer_comes_again_after_later_amendments_too(
    client: httpx.AsyncClient,
) -> None:
    kept = await create(client)
    first = await patch(client, kept["referral_id"], {"source_type": "ems"}, key="amend-1")
    await patch(client, kept["referral_id"], {"source_type": "ngo"}, '"2"', key="amend-2")
    again = await patch(client, kept["referral_id"], {"source_type": "ems"}, key="amend-1")
    assert again.content == first.content
    assert (await client.get(kept["links"]["self"])).json()["version"] == 3


async def test_an_amendments_key_with_another_patch_is_409_and_changes_nothing(
    client: httpx.AsyncClient,
) -> None:
    kept = await create(client)
    await patch(client, kept["referral_id"], {"source_type": "ems"}, key="amend-1")
    answer = await patch(client, kept["referral_id"], {"source_type": "ngo"}, '"2"', key="amend-1")
    assert answer.status_code == 409
    assert (await client.get(kept["links"]["self"])).json()["version"] == 2


async def test_an_amendment_that_changed_nothing_or_was_stale_may_be_sent_again(
    client: httpx.AsyncClient,
) -> None:
    kept = await create(client)
    same = {"source_type": "school"}
    for _ in range(2):
        answer = await patch(client, kept["referral_id"], same, key="amend-1")
        assert (answer.status_code, answer.json()) == (200, kept)
    stale = [
        await patch(client, kept["referral_id"], {"source_type": "ems"}, tag, key="amend-2")
        for tag in ('"9"', '"9"', '"1"')
    ]
    assert [answer.status_code for answer in stale] == [412, 412, 200]


async def test_one_key_may_create_a_referral_and_amend_it_and_another(
    client: httpx.AsyncClient,
) -> None:
    kept = [(await post(client, referral(), f"shared-{n}")).json() for n in (1, 2)]
    for each in kept:
        answer = await patch(client, each["referral_id"], {"source_type": "ems"}, key="shared-1")
        assert answer.json()["version"] == 2


@pytest.mark.parametrize("key", ["", " ", "x" * 129, "é"])
async def test_an_amendments_key_must_be_one_if_it_is_there(
    client: httpx.AsyncClient, key: str
) -> None:
    kept = await create(client)
    answer = await client.patch(
        kept["links"]["self"],
        content=b"{}",
        headers=[
            (b"If-Match", b'"1"'),
            (b"Content-Type", b"application/merge-patch+json"),
            (b"Idempotency-Key", key.encode()),
        ],
    )
    assert answer.status_code == 400


async def test_c33_a_report_that_is_entered_afterwards_or_moved_back_is_marked(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    now = datetime.now(UTC)
    kept = await create(client)
    assert kept["backdated"] is False
    paper = await create(client, received_at=(now - timedelta(hours=3)).isoformat())
    assert paper["backdated"] is True
    assert paper["received_at"] < paper["recorded_at"]
    for hours, back in ((2, True), (1, False)):
        moved = {"received_at": (now - timedelta(hours=hours)).isoformat()}
        tag = (await client.get(kept["links"]["self"])).headers["etag"]
        answer = await patch(client, kept["referral_id"], moved, tag)
        assert answer.json()["backdated"] is back
    async with intake_db.transaction() as session:
        query = text(
            "SELECT backdated FROM intake.referral_versions "
            "WHERE referral_id = :id ORDER BY version"
        )
        rows = await session.execute(query, {"id": kept["referral_id"]})
        assert [row.backdated for row in rows] == [False, True, False]
