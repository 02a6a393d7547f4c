"""What notify is told beside the referral: pinned, listed, and on record before it is answered."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.intake.api import Desk
from shared.contracts.disclosures import ReferralViewed
from shared.runtime.db import Database
from tests.support.calls import events, send
from tests.support.hart import Office, completion, consult, office_of
from tests.support.intake import Keys, app_on, child, client_of, post, referral

ACCEPT = {"outcome": "accepted", "reasons": ["meets_definition"], "follows": 0}
DECLINE = {"outcome": "not_accepted", "reasons": ["no_specific_incident"], "follows": 1}
WHY = {"purpose": "Notification by DCF-823", "authority": "DCF Policy 22-1-2"}


@pytest.fixture
async def worker(desk: Desk, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as client:
        yield client


@pytest.fixture
async def office(desk: Desk, intake_keys: Keys) -> AsyncIterator[Office]:
    async with office_of(app_on(desk, intake_keys), intake_keys) as office:
        yield office


async def accepted(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> tuple[str, str]:
    """A referral's path and its first child; two children, the first with a form filled in."""
    children = [child(), child(name="Test Child Two")]
    answer = await post(client, referral(children=children))
    path: str = answer.headers["location"]
    first: str = answer.json()["children"][0]["child_id"]
    told = [{"who": "Canary-chain"}]
    form = {"child_id": first, "narrative": "Example narrative", "notified_chain": told}
    made = await send(worker, f"{path}/decisions", ACCEPT | {"critical_incidents": [form]}, "one")
    assert made.status_code == 201, made.text
    return path, first


async def ask(client: httpx.AsyncClient, path: str, decision: int) -> httpx.Response:
    return await client.post(f"/internal{path}/decisions/{decision}/critical-incidents", json=WHY)


async def test_p4_the_823_is_told_per_child_without_who_else_was_notified(
    client: httpx.AsyncClient, worker: httpx.AsyncClient
) -> None:
    path, first = await accepted(client, worker)
    answer = await ask(client, path, 1)
    assert answer.status_code == 200, answer.text
    assert "Canary-chain" not in answer.text
    found = {each["child_id"]: each["incident"] for each in answer.json()["children"]}
    assert len(found) == 2
    mine = found.pop(first)
    assert mine["narrative"] == "Example narrative"
    assert (mine["incident_type"], mine["standing"]) == ("human_trafficking", "open")
    (other,) = found.values()
    assert "narrative" not in other


async def test_c12_it_is_told_as_it_stood_by_the_decision_that_is_asked_about(
    client: httpx.AsyncClient, worker: httpx.AsyncClient
) -> None:
    path, _ = await accepted(client, worker)
    await send(worker, f"{path}/decisions", DECLINE, "two")
    standings = [
        {each["incident"]["standing"] for each in (await ask(client, path, n)).json()["children"]}
        for n in (1, 2)
    ]
    assert standings == [{"open"}, {"acceptance_reversed"}]
    assert (await ask(client, path, 3)).status_code == 404


async def test_p2_each_telling_is_on_record_with_the_names_of_its_fields(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    path, _ = await accepted(client, worker)
    await ask(client, path, 1)
    viewed = [each for each in await events(intake_db) if isinstance(each, ReferralViewed)]
    assert "critical_incident.narrative" in viewed[-1].fields
    assert viewed[-1].purpose == WHY["purpose"]
    assert "Example narrative" not in viewed[-1].model_dump_json()


async def test_a_consults_outcome_is_told_once_it_has_one(
    client: httpx.AsyncClient, office: Office
) -> None:
    kept = await office.receive()
    consult_id = await consult(office, kept)
    early = await client.post(f"/internal/v1/consults/{consult_id}/outcome", json=WHY)
    assert early.status_code == 404
    await office.post("liaison", f"/v1/consults/{consult_id}/completion", completion())
    answer = await client.post(f"/internal/v1/consults/{consult_id}/outcome", json=WHY)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert told["child_id"] == kept.child_ids[0]
    assert told["consult"]["level"] == "high_risk"
    assert "investigator" not in json.dumps(told), "who asked for it is not the team's to know"
