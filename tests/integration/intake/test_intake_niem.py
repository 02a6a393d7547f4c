"""The NIEM-named view over HTTP: recorded first (P2), and no more than a profile lists."""

import json

import httpx
import pytest
from sqlalchemy import text

from shared.runtime.db import Database
from tests.support.intake import Keys, child, post, project, referral

ASKED = {"profile": "law_enforcement", "purpose": "exchange", "authority": "CGS 17a-101b(c)"}


async def create(client: httpx.AsyncClient) -> str:
    answer = await post(client, referral(children=[child(), child(name="Test Child Two")]))
    assert answer.status_code == 201, answer.text
    return f"/v1/referrals/{answer.json()['referral_id']}/versions/1/niem"


async def test_p2_a_person_reads_the_view_and_the_read_is_on_record(
    client: httpx.AsyncClient, intake_keys: Keys, intake_db: Database
) -> None:
    path = await create(client)
    person = intake_keys.bearer("example-analyst", ["referrals:niem"], person=True)
    answer = await client.post(path, json=ASKED, headers=person)
    assert answer.status_code == 200, answer.text
    named = [
        each["hs:HumanTraffickingVictim"]["nc:EntityPerson"]["nc:PersonName"]["nc:PersonFullName"]
        for each in answer.json()["hl:Child"]
    ]
    assert named == ["Test Child One", "Test Child Two"]
    async with intake_db.transaction() as session:
        view = (await session.execute(text("SELECT * FROM intake.views"))).mappings().one()
        events = await session.scalar(
            text("SELECT count(*) FROM intake.outbox WHERE topic = 'disclosures'")
        )
    assert (view["actor"], view["actor_kind"]) == ("example-analyst", "person")
    assert (view["purpose"], view["profiles"]) == ("exchange", ["law_enforcement"])
    assert "incident_places.kind" not in view["fields"]
    assert events == 1


async def test_p4_the_view_holds_what_the_projection_holds(client: httpx.AsyncClient) -> None:
    path = await create(client)
    answer = await client.post(path, json=ASKED | {"profile": "prosecution"})
    referral_id = path.split("/")[3]
    copies = (await project(client, referral_id, 1, "prosecution")).json()["children"]
    assert "parents" not in copies[0]["copies"]["prosecution"]
    assert "Example Person" not in answer.text
    assert copies[0]["copies"]["prosecution"]["reasons_for_suspicion"] in answer.text
    assert "facts" not in json.dumps(answer.json())


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (ASKED | {"profile": "nobody"}, "#/profile"),
        (ASKED | {"purpose": " "}, "#/purpose"),
        ({"profile": "mdt", "purpose": "exchange"}, "#/authority"),
    ],
)
async def test_a_read_without_profile_purpose_and_authority_is_refused(
    client: httpx.AsyncClient, body: dict[str, str], pointer: str
) -> None:
    answer = await client.post(await create(client), json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_version_that_is_not_there_is_the_one_404(client: httpx.AsyncClient) -> None:
    path = (await create(client)).replace("/versions/1/", "/versions/2/")
    answer = await client.post(path, json=ASKED)
    unknown = await client.post(f"/v1/referrals/ref_{'0' * 32}/versions/1/niem", json=ASKED)
    assert (answer.status_code, unknown.status_code) == (404, 404)
    assert answer.content == unknown.content
