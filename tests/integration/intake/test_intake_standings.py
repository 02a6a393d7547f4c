"""What is decided of a referral reaches the statistics, and a withdrawn one is amended no more."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from services.intake.api import Desk
from shared.runtime.db import Database
from tests.support.calls import rows, send
from tests.support.hart import Office, completion, consult
from tests.support.intake import Keys, app_on, child, client_of, patch, post, referral

FACTS = "SELECT person, identified FROM intake.statistics_facts"


@pytest.fixture
async def worker(desk: Desk, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as client:
        yield client


async def test_a_withdrawn_referral_is_amended_no_more(
    client: httpx.AsyncClient, worker: httpx.AsyncClient
) -> None:
    kept = (await post(client, referral())).json()
    changed = {"source_type": "ems"}
    assert (await patch(client, kept["referral_id"], changed, key="a")).status_code == 200
    path = kept["links"]["self"]
    assert (await send(worker, f"{path}/withdrawal", {"cause": "false_report"})).status_code == 201
    again = await patch(client, kept["referral_id"], changed, key="a")
    assert (again.status_code, again.headers["etag"]) == (200, '"2"')
    refused = await patch(client, kept["referral_id"], {"source_type": "school"}, '"2"')
    assert refused.status_code == 409
    assert (await client.get(path)).headers["etag"] == '"2"'


async def test_c14_what_was_entered_in_error_counts_no_more_and_a_false_report_does(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, desk: Desk, intake_db: Database
) -> None:
    for cause in ("entered_in_error", "false_report"):
        path = (await post(client, referral(), cause)).headers["location"]
        await desk.statistics.tallying.catch_up(datetime.now(UTC))
        answer = await send(worker, f"{path}/withdrawal", {"cause": cause}, cause)
        assert answer.status_code == 201
    await desk.statistics.tallying.catch_up(datetime.now(UTC))
    assert len(await rows(intake_db, FACTS)) == 1


async def test_c10_children_that_a_person_holds_to_be_one_are_one_until_that_is_taken_back(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, desk: Desk, intake_db: Database
) -> None:
    whole = [child(name="Test Child One", date_of_birth="2011-02-03")]
    kept = [(await post(client, referral(children=whole), key)).json() for key in ("one", "two")]
    pair = [each["children"][0]["child_id"] for each in kept]
    for same, persons in ((True, 1), (False, 2)):
        body = {"child_ids": pair, "same": same}
        answer = await send(worker, "/v1/candidates/answers", body, str(same))
        assert answer.status_code == 201
        await desk.statistics.tallying.catch_up(datetime.now(UTC))
        assert len({row["person"] for row in await rows(intake_db, FACTS)}) == persons


async def test_a_confirmed_level_counts_as_a_victim_identified(
    office: Office, desk: Desk, intake_db: Database
) -> None:
    for level in ("high_risk", "confirmed"):
        consult_id = await consult(office, await office.receive())
        path = f"/v1/consults/{consult_id}/completion"
        assert (await office.post("liaison", path, completion(level))).status_code == 201
    await desk.statistics.tallying.catch_up(datetime.now(UTC))
    found = [row["identified"] for row in await rows(intake_db, FACTS)]
    assert sorted(found) == [False, True]
