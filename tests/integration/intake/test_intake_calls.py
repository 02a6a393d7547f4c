"""Calls over a real PostgreSQL: kept as they go, and never nothing."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.intake.api import Desk
from services.intake.calls import store
from services.intake.calls.abandoning import Abandoning
from services.intake.models import OUTBOX
from shared.contracts.base import Source
from shared.contracts.disclosures import CallViewed
from shared.contracts.referrals import CallAbandoned, ReferralReceived
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from tests.support.calls import events, opened, rows, saved, send, typed
from tests.support.intake import Keys, app_on, child, client_of, post, referral

PATIENCE = timedelta(minutes=15)


def sweeper(db: Database, after: timedelta = PATIENCE * 2) -> Abandoning:
    """A sweeper for whom `after` has passed."""
    outbox = Outbox(OUTBOX, Source.INTAKE)
    return Abandoning(db, outbox, PATIENCE, lambda: datetime.now(UTC) + after)


async def counts(db: Database) -> tuple[int, int, int]:
    found = await rows(
        db,
        "SELECT (SELECT count(*) FROM intake.calls) AS calls, "
        "(SELECT count(*) FROM intake.referrals) AS referrals, "
        "(SELECT count(*) FROM intake.outbox) AS events",
    )
    return found[0]["calls"], found[0]["referrals"], found[0]["events"]


async def test_a_call_is_opened_saved_as_it_goes_and_finished_into_a_referral(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    call = await opened(client)
    assert (call["standing"], call["version"], call["backdated"]) == ("open", 0, False)
    first = await saved(client, call, {"children": [{"name": "Test Ch"}]})
    second = await saved(client, call, typed())
    assert [each.json()["version"] for each in (first, second)] == [1, 2]
    assert second.headers["etag"] == '"2"'
    answer = await send(client, call["links"]["finish"], {})
    assert answer.status_code == 201, answer.text
    kept = answer.json()
    assert kept["received_at"] == call["received_at"]
    (event,) = await events(intake_db)
    assert isinstance(event, ReferralReceived)
    assert event.referral_id == kept["referral_id"]
    status = (await client.get(call["links"]["self"])).json()
    assert status["standing"] == "finished"
    assert status["links"]["referral"] == answer.headers["location"]


async def test_p5_what_was_typed_is_sealed_and_shredded_once_it_is_a_referral(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    call = await opened(client)
    await saved(client, call, typed(children=[child(name="Canary-name")]))
    (open_row,) = await rows(intake_db, "SELECT sealed, wrapped FROM intake.calls")
    assert b"Canary" not in open_row["sealed"]
    await send(client, call["links"]["finish"], {})
    (row,) = await rows(intake_db, "SELECT sealed, wrapped, kek_version FROM intake.calls")
    assert list(row.values()) == [None, None, None]


async def test_a_last_word_may_come_with_the_finish(client: httpx.AsyncClient) -> None:
    call = await opened(client)
    await saved(client, call, {"trigger": "careline", "source_type": "school"})
    rest = {"reporter": {"anonymous": True}, "children": [child()]}
    assert (await send(client, call["links"]["finish"], rest)).status_code == 201


async def test_p1_finishing_again_with_the_same_key_gives_the_first_answer_again(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    call = await opened(client)
    await saved(client, call, typed())
    answers = [await send(client, call["links"]["finish"], {}) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await counts(intake_db) == (1, 1, 1)
    other_body = await send(client, call["links"]["finish"], {"source_type": "ems"})
    other_key = await send(client, call["links"]["finish"], {}, "key-2")
    assert [other_body.status_code, other_key.status_code] == [409, 409]


async def test_p1_a_call_finished_from_two_sides_at_once_is_one_referral(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    call = await opened(client)
    await saved(client, call, typed())
    keys = ("one", "one", "two", "two")
    answers = await asyncio.gather(
        *(send(client, call["links"]["finish"], {}, key) for key in keys)
    )
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409]
    assert await counts(intake_db) == (1, 1, 1)


async def test_a_call_that_is_not_complete_says_what_is_missing_and_stays_open(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    call = await opened(client)
    await saved(client, call, {"trigger": "careline", "children": [{"name": "Test Child One"}]})
    answer = await send(client, call["links"]["finish"], {})
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert {"#/reporter", "#/children/0/ht_type"} <= pointers
    assert "Test Child" not in answer.text
    assert await counts(intake_db) == (1, 0, 0)
    await saved(client, call, typed())
    assert (await send(client, call["links"]["finish"], {})).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"caller_id": "203-555-0100"}, "#/caller_id"),
        ({"reporter": {"caller_id": "203-555-0100"}}, "#/reporter/caller_id"),
        ({"children": [{"phone_number": "203-555-0100"}]}, "#/children/0/phone_number"),
    ],
)
async def test_c21_a_field_for_caller_id_is_refused_wherever_it_comes(
    client: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    call = await opened(client)
    answer = await saved(client, call, body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert "555" not in answer.text
    assert (await send(client, "/v1/calls", {"caller_id": "x"}, "k")).status_code == 422


async def test_opening_again_with_the_same_key_opens_nothing_more(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    answers = await asyncio.gather(*(send(client, "/v1/calls", {}) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await counts(intake_db) == (1, 0, 0)
    assert (await send(client, "/v1/calls", {"synthetic": True})).status_code == 409


async def test_c33_a_call_written_down_later_keeps_both_times_and_says_so(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    received = (datetime.now(UTC) - timedelta(hours=20)).replace(microsecond=0)
    call = await opened(client, received_at=received.isoformat())
    assert call["backdated"] is True
    await saved(client, call, typed())
    kept = (await send(client, call["links"]["finish"], {})).json()
    (event,) = await events(intake_db)
    assert event.received_at == received
    assert event.recorded_at - event.received_at > timedelta(hours=19)
    assert kept["received_at"] != kept["recorded_at"]
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    answer = await send(client, "/v1/calls", {"received_at": later}, "later")
    assert answer.json()["errors"][0]["pointer"] == "#/received_at"


async def test_p1_a_call_left_alone_is_told_once_whoever_sweeps(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    calls = [await opened(client, f"open-{number}") for number in range(5)]
    await asyncio.gather(*(sweeper(intake_db).once() for _ in range(4)))
    await sweeper(intake_db).once()
    found = await events(intake_db)
    assert all(isinstance(event, CallAbandoned) for event in found)
    assert sorted(event.subject for event in found) == sorted(each["call_id"] for each in calls)
    assert found[0].recorded_at - found[0].saved_at >= PATIENCE


async def test_a_call_that_is_saved_in_time_or_over_is_not_told(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    call = await opened(client)
    await sweeper(intake_db, timedelta(minutes=14)).once()
    await saved(client, call, typed())
    await send(client, call["links"]["finish"], {})
    await sweeper(intake_db).once()
    assert [type(event) for event in await events(intake_db)] == [ReferralReceived]


async def test_an_abandoned_call_may_still_become_a_referral(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    call = await opened(client)
    await saved(client, call, typed())
    await sweeper(intake_db).once()
    assert (await client.get(call["links"]["self"])).json()["standing"] == "abandoned"
    kept = (await send(client, call["links"]["finish"], {})).json()
    assert kept["received_at"] == call["received_at"]
    assert [type(event) for event in await events(intake_db)] == [CallAbandoned, ReferralReceived]


async def test_p2_a_person_reads_an_abandoned_call_and_the_read_is_on_record_first(
    client: httpx.AsyncClient, desk: Desk, intake_db: Database, intake_keys: Keys
) -> None:
    call = await opened(client)
    draft = {"children": [{"name": "Test Child One"}], "source_type": "school"}
    await saved(client, call, draft)
    why = {"purpose": "finish_call", "authority": "CGS 17a-28(g)"}
    path = f"{call['links']['self']}/readings"
    assert (await client.post(path, json=why)).status_code == 403
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as person:
        answer = await person.post(path, json=why)
    assert answer.json()["draft"] == draft
    (view,) = await rows(intake_db, "SELECT * FROM intake.call_views")
    (event,) = await events(intake_db)
    assert isinstance(event, CallViewed)
    assert (
        (event.actor, event.call_id)
        == ("worker", call["call_id"])
        == (
            view["actor"],
            view["call_id"],
        )
    )
    assert event.fields == ("children.name", "source_type")


async def test_a_person_closes_a_call_that_is_no_referral(
    client: httpx.AsyncClient, desk: Desk, intake_db: Database, intake_keys: Keys
) -> None:
    call = await opened(client)
    path, why = f"{call['links']['self']}/closing", {"why": "not_a_report"}
    assert (await send(client, path, why)).status_code == 403
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as person:
        answers = [await send(person, path, why) for _ in range(2)]
        again = await send(person, path, why, "key-2")
    assert [answer.status_code for answer in (*answers, again)] == [201, 201, 409]
    assert answers[0].json()["standing"] == "closed"
    await sweeper(intake_db).once()
    assert await events(intake_db) == []
    assert (await saved(client, call, typed())).status_code == 409
    assert (await send(client, call["links"]["finish"], {}, "f")).status_code == 409


async def test_c29_what_was_typed_goes_when_another_referral_holds_it(
    client: httpx.AsyncClient, desk: Desk, intake_db: Database, intake_keys: Keys
) -> None:
    """A draft nobody finds by a child would outlive the child's content."""
    call = await opened(client)
    await saved(client, call, typed())
    other = (await post(client, referral())).json()
    path = f"{call['links']['self']}/closing"
    wanted = {"why": "finished_elsewhere", "referral_id": other["referral_id"]}
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as person:
        refused = [
            await send(person, path, {"why": "finished_elsewhere"}, "c1"),
            await send(person, path, wanted | {"why": "not_a_report"}, "c2"),
            await send(person, path, wanted | {"referral_id": f"ref_{0:032x}"}, "c3"),
        ]
        assert [answer.status_code for answer in refused] == [422, 422, 404]
        closed = await send(person, path, wanted, "c4")
    assert closed.status_code == 201
    assert closed.json()["links"]["referral"] == other["links"]["self"]
    (row,) = await rows(intake_db, "SELECT * FROM intake.calls")
    assert [row["sealed"], row["wrapped"], row["key_version"]] == [None, None, None]
    audit = intake_keys.bearer("audit", ["internal:subjects"])
    subjects = f"/internal/v1/children/{other['children'][0]['child_id']}/subjects"
    assert (await client.get(subjects, headers=audit)).json()["call_ids"] == [call["call_id"]]


async def test_p10_a_call_of_somebody_else_is_the_one_404(
    client: httpx.AsyncClient, intake_keys: Keys
) -> None:
    call = await opened(client)
    unknown = await client.get("/v1/nothing")
    client.headers.update(intake_keys.bearer("another-system"))
    answers = [
        await client.get(call["links"]["self"]),
        await client.get("/v1/calls/cal_x"),
        await saved(client, call, typed()),
        await send(client, call["links"]["finish"], {}),
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, unknown.content)}


async def test_p9_an_open_and_an_abandoned_call_have_ages(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    await opened(client)
    async with intake_db.transaction() as session:
        waiting = await store.ages(session)
    assert waiting["call"] > 0 == waiting["call_abandoned"]
    await sweeper(intake_db).once()
    await rows(
        intake_db, "UPDATE intake.calls SET abandoned_at = now() - interval '1h' RETURNING 1"
    )
    async with intake_db.transaction() as session:
        waiting = await store.ages(session)
    assert waiting["call"] == 0 < 3599 < waiting["call_abandoned"]
