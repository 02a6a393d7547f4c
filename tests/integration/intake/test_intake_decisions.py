"""Accepting and not, form DCF-823, withdrawing and linking, over a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.intake.api import Desk
from shared.contracts.disclosures import ReferralViewed
from shared.contracts.referrals import (
    ReferralDecided,
    ReferralLinked,
    ReferralReceived,
    ReferralWithdrawn,
)
from shared.runtime.db import Database
from tests.support.calls import events, rows, send
from tests.support.intake import Keys, app_on, child, client_of, post, project, referral

ACCEPT = {"outcome": "accepted", "reasons": ["meets_definition"], "follows": 0}
DECLINE = {"outcome": "not_accepted", "reasons": ["no_specific_incident"], "follows": 0}
WHY = {"purpose": "supervision", "authority": "CGS 17a-28(g)"}


@pytest.fixture
async def worker(desk: Desk, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    """A Careline worker, a person, with every scope."""
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as client:
        yield client


async def kept(client: httpx.AsyncClient, key: str = "kept", **fields: Any) -> str:
    answer = await post(client, referral(**fields), key)
    assert answer.status_code == 201, answer.text
    path: str = answer.headers["location"]
    return path


async def decide(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], key: str, **fields: Any
) -> httpx.Response:
    return await send(client, f"{path}/decisions", body | fields, key)


async def test_c11_not_accepting_takes_no_notice_back_and_later_acceptance_sends_none_again(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    path = await kept(client)
    first = await decide(worker, path, DECLINE, "one")
    assert first.status_code == 201, first.text
    assert first.json()["critical_incidents"] == []
    second = await decide(worker, path, ACCEPT, "two", follows=1)
    assert [each["outcome"] for each in second.json()["decisions"]] == ["not_accepted", "accepted"]
    assert [each["standing"] for each in second.json()["critical_incidents"]] == ["open"]
    received, *found = await events(intake_db)
    assert isinstance(received, ReferralReceived)
    assert [type(event) for event in found] == [ReferralDecided, ReferralDecided]
    assert [(event.decision, event.outcome) for event in found] == [
        (1, "not_accepted"),
        (2, "accepted"),
    ]
    assert (await client.get(path)).json()["version"] == 1


async def test_c12_a_reversed_acceptance_amends_the_823_and_deletes_nothing(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    path = await kept(client)
    await decide(worker, path, ACCEPT, "one")
    await decide(worker, path, DECLINE, "two", follows=1)
    third = await decide(worker, path, ACCEPT, "three", follows=2)
    (incident,) = third.json()["critical_incidents"]
    assert (incident["version"], incident["standing"]) == (3, "open")
    versions = await rows(
        intake_db, "SELECT version, standing FROM intake.incident_versions ORDER BY version"
    )
    assert [tuple(each.values()) for each in versions] == [
        (1, "open"),
        (2, "acceptance_reversed"),
        (3, "open"),
    ]


async def test_a_child_added_to_an_accepted_referral_has_its_own_823_and_none_of_a_declined_one(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    path = await kept(client)
    await decide(worker, path, ACCEPT, "one")
    assert (await patched(client, path, [child(), child()])).status_code == 200
    before, added = (await worker.get(f"{path}/decisions")).json()["critical_incidents"]
    assert (added["version"], added["standing"]) == (1, "open")
    assert added["child_id"] != before["child_id"]
    await decide(worker, path, DECLINE, "two", follows=1)
    assert (await patched(client, path, [child(), child(), child()])).status_code == 200
    incidents = (await worker.get(f"{path}/decisions")).json()["critical_incidents"]
    assert [each["standing"] for each in incidents] == ["acceptance_reversed"] * 2


async def patched(
    client: httpx.AsyncClient, path: str, children: list[dict[str, Any]]
) -> httpx.Response:
    """Amend whatever version is current to these children; those that are there stay the same."""
    current = (await client.get(path)).json()
    known = current["children"]
    bodies = [
        {**body, "child_id": known[place]["child_id"]} if place < len(known) else body
        for place, body in enumerate(children)
    ]
    headers = {
        "If-Match": f'"{current["version"]}"',
        "Content-Type": "application/merge-patch+json",
    }
    return await client.patch(path, json={"children": bodies}, headers=headers)


async def test_an_823_is_sealed_read_on_record_and_amended_by_version(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    path = await kept(client, children=[child(), child(name="Test Child Two")])
    children = [each["child_id"] for each in (await client.get(path)).json()["children"]]
    form = {"child_id": children[0], "narrative": "Canary-narrative", "legal_status": "OTC"}
    body = ACCEPT | {"critical_incidents": [form], "explanation": "Canary-reason"}
    decided = (await decide(worker, path, body, "one")).json()
    incident = next(
        each for each in decided["critical_incidents"] if each["child_id"] == children[0]
    )
    patched = await worker.patch(
        f"/v1/critical-incidents/{incident['incident_id']}",
        content=b'{"placement": "Foster home", "legal_status": null}',
        headers={"If-Match": '"1"', "Content-Type": "application/merge-patch+json"},
    )
    assert (patched.status_code, patched.headers["etag"]) == (200, '"2"')
    read = await worker.post(f"{path}/decisions/readings", json=WHY)
    first, second = read.json()["children"]
    assert first["critical_incident"] == {
        "incident_type": "human_trafficking",
        "narrative": "Canary-narrative",
        "notified_chain": [],
        "placement": "Foster home",
    }
    assert "narrative" not in second["critical_incident"]
    assert first["explanations"] == {"decision/1": "Canary-reason"}
    viewed = (await events(intake_db))[-1]
    assert isinstance(viewed, ReferralViewed)
    assert viewed.fields == (
        "critical_incident.incident_type",
        "critical_incident.narrative",
        "critical_incident.notified_chain",
        "critical_incident.placement",
        "explanations",
    )
    for table in ("incident_documents", "explanations", "decisions", "outbox"):
        assert (
            b"Canary" not in repr(await rows(intake_db, f"SELECT * FROM intake.{table}")).encode()
        )


async def test_an_823_amended_from_a_stale_version_is_412_and_sent_again_is_found(
    client: httpx.AsyncClient, worker: httpx.AsyncClient
) -> None:
    path = await kept(client)
    incident = (await decide(worker, path, ACCEPT, "one")).json()["critical_incidents"][0]
    where = f"/v1/critical-incidents/{incident['incident_id']}"
    headers = {"If-Match": '"1"', "Content-Type": "application/merge-patch+json"}

    async def amend(body: bytes) -> httpx.Response:
        return await worker.patch(where, content=body, headers=headers)

    assert (await amend(b'{"narrative": "One."}')).status_code == 200
    assert (await amend(b'{"narrative": "One."}')).headers["etag"] == '"2"'
    assert (await amend(b'{"narrative": "Two."}')).status_code == 412
    assert (await amend(b'{"nonsense": 1}')).json()["errors"][0]["pointer"] == "#/nonsense"


async def test_p1_a_decision_sent_again_is_found_and_two_at_once_are_one(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    path = await kept(client)
    answers = await asyncio.gather(*(decide(worker, path, ACCEPT, "one") for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    rivals = await asyncio.gather(
        *(decide(worker, path, DECLINE, key, follows=1) for key in ("two", "three"))
    )
    assert sorted(answer.status_code for answer in rivals) == [201, 409]
    assert (await decide(worker, path, DECLINE, "one")).status_code == 409
    assert len(await events(intake_db)) == 3


async def test_a_decision_says_who_and_when_and_its_history_can_only_grow(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    path = await kept(client)
    decided = (datetime.now(UTC) - timedelta(hours=2)).replace(microsecond=0)
    await decide(worker, path, ACCEPT, "one", decided_at=decided.isoformat())
    shown = (await client.get(f"{path}/decisions")).json()["decisions"][0]
    assert (shown["decided_by"], shown["decision"]) == ("worker", 1)
    assert datetime.fromisoformat(shown["decided_at"]) == decided
    for table in ("decisions", "withdrawals", "incident_versions", "referral_links"):
        with pytest.raises(Exception, match=r"permission denied|append-only"):
            await rows(intake_db, f"DELETE FROM intake.{table} RETURNING 1")


async def test_only_a_person_decides_and_withdraws(client: httpx.AsyncClient) -> None:
    path = await kept(client)
    answers = [
        await decide(client, path, ACCEPT, "one"),
        await send(client, f"{path}/withdrawal", {"cause": "false_report"}, "two"),
        await client.post(f"{path}/decisions/readings", json=WHY),
    ]
    assert {answer.status_code for answer in answers} == {403}


async def test_an_ht_report_is_not_declined_for_want_of_an_entrusted_perpetrator(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    path = await kept(client)
    answer = await decide(worker, path, DECLINE | {"reasons": ["no_entrusted_perpetrator"]}, "one")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/reasons/0"
    assert len(await events(intake_db)) == 1


async def test_c14_a_withdrawn_false_report_says_why_and_still_reads(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    path = await kept(client)
    body = {"cause": "false_report", "explanation": "Canary-words"}
    answers = [await send(worker, f"{path}/withdrawal", body, "one") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["withdrawal"]["cause"] == "false_report"
    assert (await send(worker, f"{path}/withdrawal", body, "two")).status_code == 409
    assert (await decide(worker, path, ACCEPT, "three")).status_code == 409
    found = await events(intake_db)
    assert isinstance(found[-1], ReferralWithdrawn)
    assert (found[-1].cause, found[-1].version, len(found)) == ("false_report", 1, 2)
    assert (await client.get(path)).status_code == 200
    shown = await project(client, path.rpartition("/")[2])
    assert shown.json()["children"][0]["copies"]["law_enforcement"]["name"] == "Test Child One"


async def test_c9_a_workers_new_allegation_is_a_careline_referral_of_its_own_and_linked(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    case = await kept(client, trigger="ongoing_worker")
    body = referral()
    answers = [await send(client, f"{case}/allegations", body, "one") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    made = answers[0].json()["referral_id"]
    found = await events(intake_db)
    assert [type(event) for event in found] == [ReferralReceived, ReferralReceived, ReferralLinked]
    assert (found[2].referral_id, found[2].relation) == (made, "new_allegation")
    assert f"/v1/referrals/{found[2].related_referral_id}" == case
    for end in (case, f"/v1/referrals/{made}"):
        (link,) = (await client.get(f"{end}/links")).json()["links"]
        assert link["referral_id"] == made


async def test_c9_a_new_allegation_goes_to_the_careline_from_an_open_case_only(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    case = await kept(client, trigger="ongoing_worker")
    body = referral(trigger="ongoing_worker", synthetic=True)
    answer = await send(client, f"{case}/allegations", body, "one")
    assert [each["pointer"] for each in answer.json()["errors"]] == ["#/trigger", "#/synthetic"]
    careline = await kept(client, "careline")
    assert (await send(client, f"{careline}/allegations", referral(), "two")).status_code == 409
    assert len(await events(intake_db)) == 2


async def test_c9_the_same_facts_twice_are_linked_and_neither_is_swallowed(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    one, other = await kept(client, trigger="ongoing_worker"), await kept(client, "other")
    body = {"related_referral_id": other.rpartition("/")[2], "relation": "same_facts"}
    answers = [await send(worker, f"{one}/links", body, "one") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert (await send(worker, f"{one}/links", body, "two")).status_code == 409
    assert [type(event) for event in await events(intake_db)][2:] == [ReferralLinked]
    for path in (one, other):
        assert (await client.get(path)).json()["version"] == 1


async def test_a_link_to_itself_or_between_a_test_and_none_is_refused(
    client: httpx.AsyncClient, worker: httpx.AsyncClient
) -> None:
    one, test = await kept(client), await kept(client, "test", synthetic=True)
    for number, path in enumerate((one, test)):
        body = {"related_referral_id": path.rpartition("/")[2], "relation": "other"}
        answer = await send(worker, f"{one}/links", body, f"key-{number}")
        assert answer.json()["errors"][0]["pointer"] == "#/related_referral_id"


async def test_p10_what_is_somebody_elses_is_the_one_404(
    client: httpx.AsyncClient, intake_keys: Keys
) -> None:
    path = await kept(client)
    unknown = await client.get("/v1/nothing")
    body = {"related_referral_id": path.rpartition("/")[2], "relation": "other"}
    nowhere = f"/v1/referrals/ref_{'0' * 32}"
    mine = await send(client, f"{path}/links", {**body, "related_referral_id": nowhere[-36:]}, "a")
    client.headers.update(intake_keys.bearer("another-system"))
    answers = [
        mine,
        await client.get(f"{path}/decisions"),
        await client.get(f"{path}/links"),
        await client.get(f"{nowhere}/links"),
        await send(client, f"{path}/links", body, "one"),
        await send(client, f"{path}/allegations", referral(), "two"),
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, unknown.content)}


async def test_c9_a_link_of_one_child_says_which_where_that_is_known(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    one, other = await kept(client), await kept(client, "other")
    more = await kept(client, "more", children=[child(), child(name="Test Child Two")])
    for number, end in enumerate((other, more)):
        body = {"related_referral_id": end.rpartition("/")[2], "relation": "same_child"}
        assert (await send(worker, f"{one}/links", body, f"{number}")).status_code == 201
    received = [each for each in await events(intake_db) if isinstance(each, ReferralReceived)]
    alone, guessed = [each for each in await events(intake_db) if isinstance(each, ReferralLinked)]
    ids = [each.children[0].child_id for each in received]
    assert [(each.child_id, each.related_child_id) for each in alone.same] == [(ids[0], ids[1])]
    assert guessed.same == ()


async def test_c9_who_is_whom_is_what_a_person_has_answered(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    one = await kept(client)
    more = await kept(client, "more", children=[child(), child(name="Test Child Two")])
    found = [each for each in await events(intake_db) if isinstance(each, ReferralReceived)]
    pair = (found[0].children[0].child_id, found[1].children[1].child_id)
    async with intake_db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO intake.people (child_id, referral_id, person_id) "
                "SELECT child_id, referral_id, 'per_one' FROM intake.child_keys "
                "WHERE child_id IN (:one, :other)"
            ),
            {"one": pair[0], "other": pair[1]},
        )
    body = {"related_referral_id": more.rpartition("/")[2], "relation": "same_child"}
    assert (await send(worker, f"{one}/links", body, "link")).status_code == 201
    (linked,) = [each for each in await events(intake_db) if isinstance(each, ReferralLinked)]
    assert [(each.child_id, each.related_child_id) for each in linked.same] == [pair]
