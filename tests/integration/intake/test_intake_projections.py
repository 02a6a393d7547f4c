"""Projections: recorded before departure (P2), and only what the profile lists (P4)."""

import json
from collections import Counter
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.intake.api import Desk
from services.intake.projections import load_profiles
from services.intake.viewing import Question
from shared.contracts.disclosures import ReferralViewed
from shared.runtime.auth import Principal
from shared.runtime.db import Database
from shared.runtime.ids import new_id, utc_now
from tests.support.databases import FreshDatabase
from tests.support.intake import (
    Keys,
    app_on,
    child,
    client_of,
    events_of,
    patch,
    post,
    project,
    referral,
)

TWO = [
    child(name="Test Child One", reasons_for_suspicion="Reason one."),
    child(
        name="Test Child Two",
        residence_town="Derby",
        incident_towns=[],
        reasons_for_suspicion="Reason two.",
        parents=[{"name": "Example Parent", "phone": "555-0102"}],
    ),
]


async def create(client: httpx.AsyncClient, key: str = "key-1", **fields: Any) -> str:
    answer = await post(client, referral(**fields), key)
    assert answer.status_code == 201, answer.text
    referral_id: str = answer.json()["referral_id"]
    return referral_id


async def test_a_projection_answers_facts_and_one_copy_per_profile_for_each_child(
    client: httpx.AsyncClient,
) -> None:
    referral_id = await create(client, children=TWO)
    answer = await project(client, referral_id, 1, "law_enforcement", "prosecution")
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert set(shown) == {
        "referral_id", "number", "version", "trigger", "received_at", "synthetic", "children",
    }  # fmt: skip
    first, second = shown["children"]
    assert {name: second["facts"][name] for name in ("ht_type", "residence_town")} == {
        "ht_type": "sex",
        "residence_town": "Derby",
    }
    assert second["facts"]["incident_towns"] == second["facts"]["incident_places"] == []
    assert first["facts"]["incident_towns"] == ["Hartford"]
    assert second["copies"]["law_enforcement"]["parents"] == TWO[1]["parents"]
    assert second["copies"]["prosecution"]["parents"] == [{"name": "Example Parent"}]


async def test_p4_no_child_appears_in_another_childs_copy(client: httpx.AsyncClient) -> None:
    referral_id = await create(client, children=TWO)
    shown = (await project(client, referral_id, 1, *load_profiles())).json()["children"]
    first, second = json.dumps(shown[0]["copies"]), json.dumps(shown[1]["copies"])
    assert "Two" not in first
    assert "two" not in first
    assert "Derby" not in first
    assert "Child One" not in second
    assert "Reason one" not in second


async def test_p4_no_profile_shows_who_reported_it(client: httpx.AsyncClient) -> None:
    reporter = {
        "anonymous": False,
        "name": "Canary Reporter",
        "phone": "Canary Phone",
        "relationship": "Canary Relationship",
        "organisation": "Canary Organisation",
    }
    referral_id = await create(client, reporter=reporter)
    answer = await project(client, referral_id, 1, *load_profiles())
    assert answer.status_code == 200
    assert "Canary" not in answer.text
    assert "reporter" not in answer.text


async def test_p2_the_view_is_committed_before_the_first_byte_is_sent(
    desk: Desk, intake_keys: Keys, client: httpx.AsyncClient, database: FreshDatabase
) -> None:
    referral_id = await create(client)
    other = database.open("intake")
    recorded: list[int] = []

    def watching(app: ASGIApp) -> ASGIApp:
        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            async def look_first(message: Message) -> None:
                async with other.transaction() as session:
                    query = (
                        "SELECT (SELECT count(*) FROM intake.views) + "
                        "(SELECT count(*) FROM intake.outbox WHERE topic = 'disclosures')"
                    )
                    recorded.append(await session.scalar(text(query)) or 0)
                await send(message)

            await app(scope, receive, look_first)

        return watched

    async with client_of(watching(app_on(desk, intake_keys)), intake_keys) as watched:
        assert (await project(watched, referral_id)).status_code == 200
    assert recorded[0] == 2


async def test_p2_the_record_says_who_what_why_and_by_what_right_and_no_value(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    referral_id = await create(client, children=TWO)
    await project(client, referral_id, 1, "mdt")
    query = "SELECT body FROM intake.outbox WHERE topic = 'disclosures'"
    async with intake_db.transaction() as session:
        rows = (await session.execute(text(query))).mappings().all()
        view = (await session.execute(text("SELECT * FROM intake.views"))).mappings().one()
    (event,) = events_of([dict(row) for row in rows])
    assert isinstance(event, ReferralViewed)
    assert event.actor == "phone-system"
    assert event.actor_kind == "service"
    assert (event.authority, event.purpose) == ("CGS 17a-101b(c)", "notice")
    assert {"ht_type", "name", "parents.name", "reasons_for_suspicion"} <= set(event.fields)
    assert "parents.phone" not in event.fields
    assert len(event.child_ids) == 2
    assert event.disclosure_id == view["disclosure_id"]
    assert event.commitment == view["commitment"]
    assert view["profiles"] == ["mdt"]
    assert "Test Child" not in rows[0]["body"].decode()


@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET version = 9", "DELETE FROM {}", "TRUNCATE {}"]
)
@pytest.mark.parametrize("table", ["intake.views", "intake.referral_versions"])
async def test_p2_the_record_cannot_be_changed_afterwards(
    client: httpx.AsyncClient, database: FreshDatabase, table: str, statement: str
) -> None:
    await project(client, await create(client))
    for owner in (False, True):
        db = database.open("intake", owner=owner)
        with pytest.raises(Exception, match=r"permission denied|append-only"):
            async with db.transaction() as session:
                await session.execute(text(statement.format(table)))


async def test_a_version_that_is_not_there_is_the_same_404(client: httpx.AsyncClient) -> None:
    referral_id = await create(client)
    answers = [
        await project(client, referral_id, 2),
        await project(client, f"ref_{'0' * 32}", 1),
        await project(client, "nonsense", 1),
        await project(client, referral_id, 2**70),
        await project(client, referral_id, 0),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"profiles": ["mdt", "nobody"], "purpose": "p", "authority": "a"}, "#/profiles/1"),
        ({"profiles": [], "purpose": "p", "authority": "a"}, "#/profiles"),
        ({"profiles": ["mdt"], "purpose": " ", "authority": "a"}, "#/purpose"),
        ({"profiles": ["mdt"], "purpose": "p"}, "#/authority"),
    ],
)
async def test_a_read_without_a_known_profile_purpose_and_authority_is_refused_and_not_recorded(
    client: httpx.AsyncClient, intake_db: Database, body: dict[str, Any], pointer: str
) -> None:
    referral_id = await create(client)
    path = f"/internal/v1/referrals/{referral_id}/versions/1/projections"
    answer = await client.post(path, json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    async with intake_db.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM intake.views")) == 0


async def _together(client: httpx.AsyncClient, *wanted: tuple[str, int, str]) -> httpx.Response:
    asked = [
        {"referral_id": id_, "version": version, "profiles": [profile]}
        for id_, version, profile in wanted
    ]
    body = {"wanted": asked, "purpose": "notice", "authority": "CGS 17a-101b(c)"}
    return await client.post("/internal/v1/projections", json=body)


async def test_p2_versions_asked_for_together_are_each_on_record_and_answered_as_alone(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    first, second = await create(client), await create(client, "key-2", children=TWO)
    await patch(client, second, {"source_type": "medical"})
    asked = [(second, 1, "hart"), (first, 1, "mdt"), (second, 2, "hart"), (second, 1, "mdt")]
    answer = await _together(client, *asked)
    assert answer.status_code == 200
    alone = [(await project(client, *each)).json() for each in asked]
    assert answer.json()["projections"] == alone
    async with intake_db.transaction() as session:
        rows = await session.execute(
            text("SELECT referral_id, version, profiles, commitment FROM intake.views")
        )
        seen = Counter((row.referral_id, row.version, *row.profiles) for row in rows)
        events = await session.scalar(
            text("SELECT count(*) FROM intake.outbox WHERE topic = 'disclosures'")
        )
    assert seen == Counter(dict.fromkeys(asked, 2))
    assert events == 8


async def test_p2_a_read_that_is_made_again_is_on_record_once_and_beside_it_what_is_new(
    desk: Desk, client: httpx.AsyncClient, intake_db: Database
) -> None:
    """As after a connection that was lost while the record was committed."""
    referral_id, other = await create(client), await create(client, "key-2")
    reader, now = Principal("notify", frozenset()), utc_now()
    first, second, third, fourth = (
        Question(new_id("dsc"), id_, 1, reader, ["mdt"], "notice", "CGS 17a-101b(c)", now)
        for id_ in (referral_id, referral_id, other, referral_id)
    )
    await desk.viewing.view(first)
    shown = await desk.viewing.view_all([second, first, third, fourth])
    assert await desk.viewing.view_all([second, first, third, fourth]) == shown
    async with intake_db.transaction() as session:
        seen = await session.scalars(text("SELECT disclosure_id FROM intake.views"))
        rows = await session.execute(
            text("SELECT * FROM intake.outbox WHERE topic = 'disclosures' ORDER BY id")
        )
    told = [(each.subject, each.sequence, json.loads(each.body)) for each in rows]
    asked = [each.disclosure_id for each in (first, second, third, fourth)]
    assert sorted(seen) == sorted(asked)
    assert [body["data"]["disclosure_id"] for _, _, body in told] == asked
    assert [row[:2] for row in told] == [
        (referral_id, 1), (referral_id, 2), (other, 1), (referral_id, 3),
    ]  # fmt: skip
    assert [body["sequence"] for _, _, body in told] == [1, 2, 1, 3]


async def test_p2_what_is_not_there_is_null_among_others_and_not_on_record(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    known, unknown = await create(client), f"ref_{'0' * 32}"
    answer = await _together(client, (unknown, 1, "mdt"), (known, 1, "mdt"), (known, 7, "mdt"))
    found = answer.json()["projections"]
    assert [each and each["referral_id"] for each in found] == [None, known, None]
    async with intake_db.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM intake.views")) == 1


async def test_one_that_does_not_open_is_null_among_others_which_are_shown_and_on_record(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    whole, spoiled = await create(client), await create(client, "key-2")
    async with intake_db.transaction() as session:
        await session.execute(
            text(
                "UPDATE intake.documents SET sealed = 'CANARY' WHERE child_id = ("
                "SELECT child_ids[1] FROM intake.referral_versions WHERE referral_id = :id)"
            ),
            {"id": spoiled},
        )
    answer = await _together(client, (spoiled, 1, "mdt"), (whole, 1, "mdt"))
    assert [each and each["referral_id"] for each in answer.json()["projections"]] == [None, whole]
    assert (await project(client, spoiled)).status_code == 500
    async with intake_db.transaction() as session:
        assert await session.scalars(text("SELECT referral_id FROM intake.views")) == [whole]


async def test_a_profile_that_is_none_is_pointed_at_among_several_versions(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    known = await create(client)
    answer = await _together(client, (known, 1, "mdt"), (known, 1, "nobody"))
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["#/wanted/1/profiles/0"]
    async with intake_db.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM intake.views")) == 0


async def test_a_document_moved_to_another_childs_row_does_not_open(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    referral_id = await create(client, children=TWO)
    async with intake_db.transaction() as session:
        await session.execute(
            text(
                "UPDATE intake.documents AS a SET sealed = b.sealed FROM intake.documents AS b "
                "WHERE a.child_id < b.child_id"
            )
        )
    answer = await project(client, referral_id)
    assert answer.status_code == 500
    assert "Test Child" not in answer.text
    async with intake_db.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM intake.views")) == 0


async def test_each_version_is_projected_as_it_was(client: httpx.AsyncClient) -> None:
    referral_id = await create(client, source_type="school")
    await patch(client, referral_id, {"source_type": "medical"})
    shown = [
        (await project(client, referral_id, version, "hart")).json()["children"][0]["copies"]
        for version in (1, 2)
    ]
    assert [copy["hart"]["source_type"] for copy in shown] == ["school", "medical"]
